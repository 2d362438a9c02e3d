"""Where the heads of a bundle look: attention drawn over the images, beside any backend.

Compiled stages give answers only, so the fusion of a head runs once more here, as the network it
was compiled from, on the tokens that the predictor has encoded already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from xmodal_ros.core.types import Observation
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.frames import Features
from xmodal_ros.runtime.predictor import Predictor

if TYPE_CHECKING:
    from xmodal_ros.nn.network import FuseStage

Map = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

MOST = 4.0
"""Times the average weight at which the colour is full."""
_OPACITY = 0.65


def watched(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    """By head that weighs places, the streams of images it can be seen to look at."""
    from xmodal_ros.nn.focus import attends, image_streams

    return image_streams(bundle.spec) if attends(bundle.spec) else {}


class Focus:
    """Attention of heads, from what a predictor encoded. May be used in another thread than it.

    Args:
        predictor: Its bundle is loaded once more, by `load` or when a head is first looked at.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.streams = watched(predictor.bundle)
        """Streams of images by head."""
        self._bundle, self._blank = predictor.bundle, predictor.blank
        self._stages: dict[str, FuseStage] = {}

    def load(self) -> None:
        """Load the network, if it is not."""
        from xmodal_ros.nn.network import FuseStage

        if self.streams and not self._stages:
            network = self._bundle.network()
            self._stages = {head: FuseStage(network, head).eval() for head in self.streams}

    def maps(self, head: str, encoded: Mapping[str, Features]) -> dict[str, Map]:
        """How much the head looks where, in multiples of the average weight of all its tokens.

        Args:
            head: One of `streams`.
            encoded: `Predictor.encoded` of an observation.

        Returns:
            By stream that is present (rows, columns); a clip's steps are averaged.
        """
        import torch

        from xmodal_ros.nn.focus import attention, of_all_queries

        self.load()
        stage = self._stages[head]
        parts = [x for s in stage.streams for x in encoded.get(s, self._blank[s])[:2]]
        there = [s in encoded for s in stage.streams]
        with torch.inference_mode():
            present = torch.tensor([there], dtype=torch.float32)
            tensors = [torch.from_numpy(np.require(x, requirements="W")) for x in parts]
            maps = of_all_queries(attention(stage, present, *tensors), present)
        known = {s: maps[s][0] for s in stage.streams if s in encoded}
        tokens = sum(x.numel() for x in known.values())
        return {
            s: (tokens * (x.mean(0) if x.ndim == 3 else x)).numpy()
            for s, x in known.items()
            if s in self.streams[head]
        }

    def overlays(
        self,
        head: str,
        streams: Collection[str],
        observation: Observation,
        encoded: Mapping[str, Features],
    ) -> dict[str, Image]:
        """The newest image of each stream that is present, with the head's attention over it."""
        return {
            stream: overlay(observation.streams[stream].data, focus)
            for stream, focus in self.maps(head, encoded).items()
            if stream in streams
        }


def overlay(image: npt.NDArray[Any], focus: npt.NDArray[Any]) -> Image:
    """Draw a map over an image: what is not looked at stays as it is.

    Args:
        image: Shape: (H, W, 3), uint8 RGB.
        focus: In multiples of an average. Shape: (rows, columns).

    Returns:
        Shape: (H, W, 3), uint8 RGB.
    """
    height, width = image.shape[:2]
    strength = np.clip(focus / MOST, 0, 1).astype(np.float32)
    fine = cv2.resize(strength, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.rint(255 * fine).astype(np.uint8), cv2.COLORMAP_TURBO)
    share = (_OPACITY * fine)[..., None]
    mixed = image * (1 - share) + colours[..., ::-1] * share
    return np.asarray(np.rint(mixed), np.uint8)
