"""A class for every point of a LiDAR's scan, from what a predictor encoded.

It is computed only where somebody asks: `Predictor.encoded` has all of it. The same for the live
node and the evaluation, bit by bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xmodal_ros.core.range_image import gather
from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.runtime.frames import Features
from xmodal_ros.runtime.manifest import PointsCard

_BLOCK = 1 << 14
"""Pixels at a time: what is computed on the way stays in the cache."""


class PointLabels(NamedTuple):
    """What each point of a scan is, in the order of `StreamData.data`."""

    labels: npt.NDArray[np.uint8]
    """Index into the card's labels; `IGNORE` where the confidence is below the card's threshold,
    and for points in no pixel of the range image. Shape: (N,)."""
    confidence: npt.NDArray[np.float32]
    """Calibrated probability of the most probable class; 0 of a point in no pixel. Shape: (N,)."""


def label_points(encoded: Features, card: PointsCard) -> PointLabels:
    """Classes of points.

    Args:
        encoded: `Predictor.encoded` of a stream in `Bundle.labelled`.
        card: What the bundle says of its classes.
    """
    logits, pixels = encoded[2][0], encoded[3]
    flat = logits.reshape(len(logits), -1)  # (C, H * W)
    labels = np.zeros(flat.shape[1], np.uint8)
    confidence = np.empty(flat.shape[1], np.float32)
    for start in range(0, len(labels), _BLOCK):
        block = slice(start, start + _BLOCK)
        scores = flat[:, block] / np.float32(card.temperature)
        best = scores.max(0)
        for k, score in enumerate(scores[1:], 1):  # argmax takes three times as long
            np.maximum(labels[block], (score == best) * np.uint8(k), out=labels[block])
        # The largest probability of a softmax, without the others.
        confidence[block] = 1 / np.exp(scores - best).sum(0)
    labels[confidence < card.abstain_below] = IGNORE
    # One more, modulo 256, so that the zero of a point in no pixel becomes IGNORE.
    labels = gather(labels + np.uint8(1), pixels) - np.uint8(1)
    return PointLabels(labels, gather(confidence, pixels))
