"""Other looks at a scan and its image, so that where something is does not tell what it is.

Camera and LiDAR of a cell, or of a car, are mounted once: without this, points find their pixels
by their place in the scan alone. Settings are `settings.VarySettings`.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from xmodal_ros.data.point_cloud import IGNORE
from xmodal_ros.train.lidar.settings import VarySettings


class Look(NamedTuple):
    """A scan and an image of it."""

    scan: np.ndarray
    """Range image `(H, W, 4) float32`."""
    image: np.ndarray
    """`(h, w, 3) uint8`."""
    uv: np.ndarray
    """Column and row in the image of each pixel of the scan `(H, W, 2) float32`, NaN where it is
    not seen."""


def vary_pair(look: Look, settings: VarySettings, rng: np.random.Generator) -> Look:
    """Some columns of a scan and a part of its image, both mirrored and changed at random.

    Args:
        look: The whole of both.
        settings: How.
        rng: Random numbers.

    Returns:
        The scan is `(H, columns, 4)`, the image as large as before.
    """
    scan, image, uv = look
    width = min(settings.columns or scan.shape[1], scan.shape[1])
    if rng.random() < settings.anywhere:
        start = int(rng.integers(scan.shape[1]))
    else:
        first, last = _between(np.flatnonzero(~np.isnan(uv[:, :, 0]).all(0)), scan.shape[1])
        # From where the window ends with what is seen to where it begins with it.
        ends = sorted((last + 1 - width, first))
        start = int(rng.integers(ends[0], ends[1] + 1))
    scan, uv = columns(scan, start, width), columns(uv, start, width)
    if rng.random() < settings.mirrored:
        scan, uv = mirror_scan(scan), uv[:, ::-1]
    scan = lit(scan, settings, rng)
    image, uv = cropped(image, uv, rng.uniform(settings.cropped, 1), rng)
    if rng.random() < settings.mirrored:
        image = image[:, ::-1]
        uv = uv * np.array((-1, 1), np.float32) + np.array((image.shape[1] - 1, 0), np.float32)
    return Look(scan, recoloured(image, settings.recoloured, rng), uv)


def vary_labelled(
    scan: np.ndarray, labels: np.ndarray, settings: VarySettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Some columns of a scan, in which a class drawn of those it has is to be seen.

    Args:
        scan: `(H, W, 4)`.
        labels: `(H, W) uint8`, at least one of them a class.
        settings: How.
        rng: Random numbers.
    """
    width = min(settings.columns or scan.shape[1], scan.shape[1])
    wanted = rng.choice(np.unique(labels[labels != IGNORE]))
    holding = np.flatnonzero((labels == wanted).any(0))
    start = int(rng.choice(holding)) - int(rng.integers(width))
    scan, labels = columns(scan, start, width), columns(labels, start, width)
    if rng.random() < settings.mirrored:
        scan, labels = mirror_scan(scan), labels[:, ::-1]
    return lit(scan, settings, rng), labels


def columns(values: np.ndarray, start: int, width: int) -> np.ndarray:
    """Some columns of a full turn `(H, W, ...)`, which goes on where it ends."""
    return values.take(range(start, start + width), axis=1, mode="wrap")


def _between(seen: np.ndarray, turn: int) -> tuple[int, int]:
    """First and last of some columns of a full turn, which may go on where it ends."""
    gaps = np.diff(seen, append=seen[:1] + turn)
    widest = int(gaps.argmax())
    first, last = int(seen[(widest + 1) % len(seen)]), int(seen[widest])
    return first, last if last >= first else last + turn


def mirror_scan(scan: np.ndarray) -> np.ndarray:
    """A scan `(H, W, 4)` with left and right exchanged."""
    return scan[:, ::-1] * np.array((1, -1, 1, 1), np.float32)


def lit(scan: np.ndarray, settings: VarySettings, rng: np.random.Generator) -> np.ndarray:
    """A scan `(H, W, 4)` by a brighter or darker LiDAR."""
    light = settings.brightness ** rng.uniform(-1, 1)
    return np.concatenate([scan[..., :3], np.minimum(light * scan[..., 3:], 1)], axis=-1)


def cropped(
    image: np.ndarray, uv: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A part of an image, enlarged to the whole, and where in it points are.

    Args:
        image: `(h, w, 3) uint8`.
        uv: Columns and rows `(..., 2) float32`.
        share: Of its area.
        rng: Random numbers.
    """
    size = np.array(image.shape[1::-1])
    part = np.maximum(np.round(size * share**0.5).astype(int), 1)
    left, top = rng.integers(0, size - part + 1)
    kept = image[top : top + part[1], left : left + part[0]]
    image = cv2.resize(kept, size.tolist(), interpolation=cv2.INTER_LINEAR)
    found = (uv + 0.5 - (left, top)) * (size / part) - 0.5
    with np.errstate(invalid="ignore"):
        inside = ((found > -0.499) & (found < size - 0.501)).all(-1, keepdims=True)
    return image, np.where(inside, found, np.nan).astype(np.float32)


def recoloured(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """An image `(h, w, 3) uint8` in another light: colours, then contrast about the mean."""
    low, high = 1 - strength, 1 + strength
    found = image * (rng.uniform(low, high, 3) * rng.uniform(low, high))
    mean = found.mean()
    return ((found - mean) * rng.uniform(low, high) + mean).clip(0, 255).astype(np.uint8)
