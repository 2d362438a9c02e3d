"""Arrays to network inputs: layout and size; colour normalization is part of the network.

Training and serving both call this, so they cannot drift apart.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.range_image import RangeImage, RangeView, to_range_image


def resize_image(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Bring an image to the network's size, without keeping its aspect ratio.

    Shrinking averages areas; enlarging is bilinear.

    Args:
        image: Shape: (H, W, 3), RGB.
        height: Of the result, px.
        width: Of the result, px.

    Returns:
        Shape: (height, width, 3), contiguous; the input itself where it has that size already.

    Raises:
        DataError: the image has another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise DataError(
            f"got an array {image.shape} {image.dtype}",
            where="image",
            expected="(H, W, 3) uint8, none of them 0",
        )
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), np.uint8)


def check_window(window: npt.NDArray[np.float32], samples: int) -> npt.NDArray[np.float32]:
    """Bring an IMU window to the network's layout.

    Args:
        window: Shape: (samples, 6), m/s² then rad/s.
        samples: How many the network reads.

    Raises:
        DataError: the window has another shape, or holds NaN or infinity.
    """
    if window.shape != (samples, 6):
        raise DataError(
            f"got an array {window.shape}",
            where="IMU window",
            expected=f"({samples}, 6)",
            do="Give the synchronizer the bundle's windows",
        )
    if not np.isfinite(window).all():
        raise DataError("holds NaN or infinity", where="IMU window", expected="finite values")
    return np.ascontiguousarray(window, np.float32)


def range_image(points: npt.NDArray[np.float32], view: RangeView) -> RangeImage | None:
    """Bring a scan to the network's layout.

    Args:
        points: x, y, z in m and intensity in [0, 1]. Shape: (N, 4).
        view: The network's grid.

    Returns:
        The image, and the pixel of each point; None if no point is on the grid.

    Raises:
        DataError: the scan has another shape or type.
    """
    if points.ndim != 2 or points.shape[1] != 4 or points.dtype != np.float32:
        raise DataError(
            f"got an array {points.shape} {points.dtype}",
            where="LiDAR scan",
            expected="(N, 4) float32",
        )
    found = to_range_image(points, view)
    return found if found.image.any() else None
