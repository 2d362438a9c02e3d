"""Windows of an IMU with the newest image before their end, as frozen features, and labels."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial import Inertial
from xmodal_ros.data.inertial.seen import newest_frames
from xmodal_ros.data.inertial.windows import Window, Windowing, cut
from xmodal_ros.data.pictures import read, require_rgb8
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION, divide
from xmodal_ros.nn.branch import ContrastiveEncoder
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.align.settings import AlignSettings
from xmodal_ros.train.features import Features, cached
from xmodal_ros.train.pretrain.files import save_text

log = logging.getLogger(__name__)
ENCODED = 32
"""Images per forward pass of the frozen encoder."""


class AlignExamples:
    """Valid windows of any data sets that have a label or an image.

    Where a data set has no validation part, some of its training people or groups become one.

    Args:
        data: From `read_tracks`.
        settings: Of windows and images.
        vision: The frozen encoder.
        cache: Folder that keeps its features.

    Raises:
        DataError: there are fewer than two classes to learn, or no window to validate on.
    """

    def __init__(
        self,
        data: Sequence[Inertial],
        settings: AlignSettings,
        vision: ContrastiveEncoder,
        cache: Path,
    ) -> None:
        windows: list[Window] = []
        sources: list[Source | None] = []
        self.left_out: Counter[str] = Counter()
        """Number of windows that are not used, by reason."""
        sessions: list[str] = []
        for one in data:
            found, seen = self._of(one, settings)
            windows += found
            sources += seen
            sessions += [f"{one.root.name}/{w.session}" for w in found]
        self.names = [f"{s}@{w.end_ns}" for s, w in zip(sessions, windows, strict=True)]
        self.sessions = np.array(sessions)
        self.parts = np.array([w.part for w in windows])
        shape = (0, settings.imu.samples, settings.imu.channels)
        self.windows = np.stack([w.values for w in windows]) if windows else np.zeros(shape)
        self.classes = tuple(sorted({w.label for w in windows if w.label and w.part == TRAIN}))
        for name in sorted({w.label for w in windows if w.label} - set(self.classes)):
            log.warning("no window of '%s' to train on", name)
        place = {name: k for k, name in enumerate(self.classes)}
        self.labels = np.array([place.get(w.label, -1) for w in windows], np.int64)
        self._check(data)
        used = list(dict.fromkeys(s for s in sources if s is not None))
        self.features: Features | None = None
        wrong: dict[str, str] = {}
        if used:
            self.features, wrong = _features(used, vision, cache)
        for name, why in wrong.items():
            log.warning("%s is left out: %s", name, why)
        row = {source: k for k, source in enumerate(used) if str(source) not in wrong}
        self.frames = np.array([row.get(s, -1) if s else -1 for s in sources], np.int64)
        """Row of `features` of each window `(N,) int64`, -1 where no image is."""
        unread = sum(s is not None for s in sources) - int((self.frames >= 0).sum())
        self.left_out["the image cannot be read, so only the label is used"] = unread

    def __len__(self) -> int:
        return len(self.names)

    def indices(self, part: str, *, labelled: bool = False, seen: bool = False) -> np.ndarray:
        """Of the windows of a part `(N,) int64`; only those with a label, or with an image."""
        chosen = self.parts == part
        if labelled:
            chosen &= self.labels >= 0
        if seen:
            chosen &= self.frames >= 0
        return np.flatnonzero(chosen)

    def fingerprint(self) -> str:
        """SHA-256 of windows, parts, labels and images, hexadecimal."""
        digest = hashlib.sha256("\n".join([*self.classes, *self.parts]).encode())
        for array in (self.windows, self.labels, self.frames):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def with_windows(self, windows: np.ndarray) -> AlignExamples:
        """The same examples with other windows `(N, T, 6)`, such as turned ones."""
        made = copy.copy(self)
        made.windows = windows
        return made

    def pooled(self) -> np.ndarray:
        """Pooled features of all windows' images `(N, width) float32`, 0 where there is none.

        Raises:
            DataError: no window has an image.
        """
        if self.features is None:
            raise DataError("no window has an image", where="pooled")
        made = np.zeros((len(self), self.features.pooled.shape[1]), np.float32)
        seen = self.frames >= 0
        made[seen] = self.features.pooled[self.frames[seen]]
        return made

    def vision_embeddings(self, vision: ContrastiveEncoder) -> torch.Tensor:
        """Of all windows, zero where no image is. Shape: (N, dim), unit length."""
        made = torch.zeros(len(self), vision.dim)
        seen = np.flatnonzero(self.frames >= 0)
        if len(seen):
            with torch.inference_mode():
                pooled = torch.from_numpy(self.pooled()[seen])
                made[seen] = F.normalize(vision.embed(pooled), dim=1)
        return made

    def _of(
        self, data: Inertial, settings: AlignSettings
    ) -> tuple[list[Window], list[Source | None]]:
        """Windows of a data set and their images."""
        options = settings.windows
        windowing = Windowing(stride_s=options.stride_s, label_s=options.label_s)
        every = _with_validation(cut(data.tracks, settings.imu.window, settings.slots, windowing))
        whole = [w for w in every if not w.invalid and w.present.all() and w.part]
        self.left_out["with a gap"] += sum(bool(w.invalid) for w in every)
        self.left_out["a sensor is absent"] += sum(not w.present.all() for w in every)
        self.left_out["in no part"] += sum(not w.part for w in every)
        vision = settings.vision
        sources, problems = newest_frames(data, whole, vision.stream, vision.oldest_s)
        for problem in problems:
            log.warning("%s", problem)
        kept = [k for k, w in enumerate(whole) if w.label or sources[k]]
        self.left_out["neither label nor image"] += len(whole) - len(kept)
        return [whole[k] for k in kept], [sources[k] for k in kept]

    def _check(self, data: Sequence[Inertial]) -> None:
        where = ", ".join(str(one.root) for one in data)
        if len(self.classes) < 2:
            raise DataError(
                f"{len(self.classes)} activities to learn in {len(self)} windows",
                where=where,
                expected="at least 2 in the train part",
                do="See `xmodal data check`.",
            )
        for part in (TRAIN, VALIDATION):
            if len(self.indices(part, labelled=True)) < 2:
                raise DataError(
                    "fewer than 2 labelled windows",
                    where=f"{where}, {part} part",
                    do="See `xmodal data check`.",
                )


def _with_validation(windows: list[Window]) -> list[Window]:
    """The windows; where none is for validation, some training groups are."""
    if any(w.part == VALIDATION for w in windows):
        return windows
    groups = {w.subject: "" for w in windows if w.part == TRAIN}
    held_out = {group for group, part in divide(groups).items() if part == VALIDATION}
    return [
        replace(w, part=VALIDATION) if w.part == TRAIN and w.subject in held_out else w
        for w in windows
    ]


def _features(
    used: Sequence[Source], vision: ContrastiveEncoder, cache: Path
) -> tuple[Features, dict[str, str]]:
    """Of the frozen encoder, one row per image, and by name why images cannot be read.

    The row of an image that cannot be read is of no use. What cannot be read is kept beside the
    features, so that it is told of again where they are taken from there.
    """
    encoder = cast(Any, vision.encoder)
    size = (encoder.settings.height, encoder.settings.width)
    places = [(str(s), s.path.stat().st_mtime_ns) for s in used]
    key = {"images": places, "settings": vars(encoder.settings)}
    kept = cache / f"unread-{hashlib.sha256(json.dumps(places).encode()).hexdigest()[:16]}.json"

    def batches() -> Iterator[tuple[np.ndarray, ...]]:
        wrong: dict[str, str] = {}
        images = _images(used, size, wrong)
        while batch := list(itertools.islice(images, ENCODED)):
            yield (np.stack(batch),)
        save_text(kept, json.dumps(wrong, indent=1) + "\n")

    count = -(-len(used) // ENCODED)
    features = cached(cache, key, encoder, batches, count, "features of images")
    wrong = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    return features, wrong


def _images(
    sources: Sequence[Source], size: tuple[int, int], wrong: dict[str, str]
) -> Iterator[np.ndarray]:
    """Images in the order of their sources `(*size, 3) uint8`; black where one cannot be read.

    Args:
        sources: Of single images.
        size: Height and width.
        wrong: Told, by name, why images cannot be read.
    """
    by_file: dict[Path, list[Source]] = {}
    for source in sources:
        by_file.setdefault(source.path, []).append(source)
    for together in by_file.values():
        found = dict(read(together))
        for source in together:
            try:
                images = found[source]
                if isinstance(images, DataError):
                    raise images
                require_rgb8(images[0], str(source))
            except DataError as error:
                wrong[str(source)] = error.what
                images = [np.zeros((*size, 3), np.uint8)]
            yield resize_image(images[0], *size)
