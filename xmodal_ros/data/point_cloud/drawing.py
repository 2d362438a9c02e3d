"""Pictures of scans: from above, as a range image, and over a camera's image."""

from __future__ import annotations

import cv2
import numpy as np

from xmodal_ros.core.range_image import OUTSIDE, gather
from xmodal_ros.core.segmentation import IGNORE

BACKGROUND = (18, 24, 31)
UNKNOWN = (110, 110, 110)
PALETTE = np.array(
    [
        (76, 114, 176), (221, 170, 51), (214, 60, 50), (74, 160, 90), (170, 90, 200),
        (240, 130, 180), (60, 190, 200), (150, 100, 60), (190, 210, 60), (130, 150, 230),
        (250, 140, 60), (40, 110, 70), (200, 200, 255), (120, 40, 80), (160, 220, 170),
        (90, 90, 150), (255, 220, 150), (0, 130, 130), (200, 120, 120), (100, 60, 20),
    ],
    np.uint8,
)  # fmt: skip
"""Colours of classes, RGB; from the 21st on they begin again."""
_SEEN = 0.95
"""Share of a scan's points that a picture from above shows: a few are far away."""


def class_colours(labels: np.ndarray) -> np.ndarray:
    """Colour of each label, grey for `IGNORE`. Shape: (...) -> (..., 3) uint8."""
    table = np.resize(PALETTE, (IGNORE + 1, 3))
    table[IGNORE] = UNKNOWN
    found: np.ndarray = table[labels]
    return found


def shades(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Colours from blue to red of values from low to high. Shape: (...) -> (..., 3) uint8."""
    share = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    bytes_ = np.rint(255 * share).astype(np.uint8)
    found = cv2.applyColorMap(bytes_.reshape(-1, 1), cv2.COLORMAP_TURBO)
    return np.asarray(found[:, 0, ::-1].reshape(*values.shape, 3))


def from_above(points: np.ndarray, colours: np.ndarray, size: int) -> np.ndarray:
    """A scan from above, the LiDAR in the middle, x to the top; what is higher hides the rest.

    Args:
        points: Shape: (N, 3 or more).
        colours: Shape: (N, 3) uint8.
        size: Of the picture's sides, px.
    """
    picture = np.full((size, size, 3), BACKGROUND, np.uint8)
    returned = points[:, :3].any(axis=1)
    points, colours = points[returned], colours[returned]
    if not len(points):
        return picture
    order = np.argsort(points[:, 2])
    reach = np.quantile(np.abs(points[:, :2]).max(1), _SEEN)
    places = size / 2 - points[order, :2] * (size / 2 / max(float(reach), 1e-9))
    row, column = np.clip(np.floor(places), -1, size).astype(np.int64).T
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    picture[row[inside], column[inside]] = colours[order][inside]
    return picture


def as_range_image(nearest: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """A scan as its range image, one colour for each pixel that has a point.

    Args:
        nearest: Point of each pixel, as `RangeImage.nearest`. Shape: (rows, columns).
        colours: Shape: (N, 3) uint8.
    """
    picture = gather(colours, nearest.reshape(-1)).reshape(*nearest.shape, 3)
    picture[nearest == OUTSIDE] = BACKGROUND
    return picture


def over_image(
    image: np.ndarray, uv: np.ndarray, depth: np.ndarray, colours: np.ndarray, radius: int = 1
) -> np.ndarray:
    """Points over an image, the nearest last.

    Args:
        image: Shape: (H, W, 3) uint8 RGB.
        uv: Column and row of the points in it, of which none is NaN. Shape: (N, 2).
        depth: Shape: (N,).
        colours: Shape: (N, 3) uint8.
        radius: Of a dot, px.
    """
    picture = image.copy()
    for k in np.argsort(-depth):
        column, row = np.floor(uv[k] + 0.5).astype(int).tolist()
        cv2.circle(picture, (column, row), radius, colours[k].tolist(), cv2.FILLED)
    return picture
