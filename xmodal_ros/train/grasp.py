"""Grasp outcome from both fingers' gel clips (gelsight_slip): will the object slip out?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xmodal_ros.data.gelsight_slip import FINGERS, RATE_HZ, GelsightSlip
from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.nn.architecture import GelSettings
from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.examples import Index, Inputs
from xmodal_ros.train.features import cached

LABELS = ("fail", "success")
STREAMS = {"tactile_left": "gel", "tactile_right": "gel"}
SPLIT = "gelsight_slip"
EARLIEST_S = 1.0
"""Training clips end at this time of a recording or later."""
COMPLETE = 0.5
"""Share of training clips that end with the recording, as the scored ones do."""


class GraspExamples:
    """Clips that end at any frame of a recording; the scored ones end at its last.

    Frame t is compared with the one `spacing` earlier, so features exist for each t once,
    whatever clips they are part of. Before a recording's first frame a clip repeats it, as the
    synchronizer does, so that there the difference is zero.
    """

    def __init__(
        self, root: Path, cache: Path, encoder: ImageEncoder, settings: GelSettings
    ) -> None:
        data = GelsightSlip(root / SPLIT)
        split = load_split(FOLDER / f"{SPLIT}.csv", data.root)
        held_out = set(split.groups("test"))
        grasps = data.grasps
        slip = np.array([g.slip for g in grasps])
        self.index = Index(
            targets=np.stack([slip, ~slip], axis=1).astype(np.float32),
            groups=np.array([g.object for g in grasps]),
            test=np.array([g.object in held_out for g in grasps]),
            scored=np.ones(len(grasps), bool),
        )
        self.step = round(settings.spacing_s * RATE_HZ)
        self.steps = settings.steps
        self.frames = len(data.clip(grasps[0].name, FINGERS[0]))
        key = {"split": split.sha256, "settings": vars(settings), "step": self.step}
        clips = [(g.name, finger) for g in grasps for finger in FINGERS]
        self.features = cached(
            cache,
            key,
            encoder,
            lambda: _pairs(data, clips, settings, self.step),
            len(clips),
            "gel features",
        )

    def batch(self, chosen: np.ndarray, rng: np.random.Generator | None) -> Inputs:
        """Tokens (batch, steps, tokens, width) and pooled features of both fingers."""
        end = np.full(len(chosen), self.frames - 1)
        if rng is not None:
            early = rng.integers(int(EARLIEST_S * RATE_HZ), self.frames, len(chosen))
            end = np.where(rng.random(len(chosen)) < COMPLETE, end, early)
        times = end[:, None] - self.step * np.arange(self.steps)[::-1]  # (B, T)
        times = np.maximum(times, 0)
        return {
            stream: self.features[(2 * chosen[:, None] + finger) * self.frames + times]
            for finger, stream in enumerate(STREAMS)
        }

    def pairs(self, chosen: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Pooled features of two moments at most one clip step apart: a positive pair."""
        place = rng.integers(0, 2, len(chosen))
        start = rng.integers(self.step, self.frames - self.step, len(chosen))
        rows = (2 * chosen + place) * self.frames
        shift = rng.integers(1, self.step + 1, len(chosen))
        return self.features.pooled[rows + start], self.features.pooled[rows + start + shift]


def _pairs(
    data: GelsightSlip, clips: list[tuple[str, str]], settings: GelSettings, step: int
) -> Iterator[tuple[np.ndarray, ...]]:
    for name, finger in clips:
        frames = np.stack(
            [resize_image(f, settings.height, settings.width) for f in data.clip(name, finger)]
        )
        # Where a clip would reach back before the recording, both images are its first.
        earlier = np.concatenate([frames[:step], frames[:-step]])
        yield frames, earlier
