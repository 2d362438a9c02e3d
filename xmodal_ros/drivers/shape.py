"""From a device's image to the one that is published: undistorted, cropped, resized, RGB."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.drivers.calibration import Calibration, read_calibration
from xmodal_ros.drivers.gel_settings import DeviceSettings, ImageSettings

HALF = 8
"""The last one of so many parts of an image that is one colour was never filled."""


class Shape:
    """Makes images to publish.

    Args:
        image: What is wanted.
        device: What the images come from.

    Raises:
        DataError: the calibration cannot be read, or is of another size than the device's images.
    """

    def __init__(self, image: ImageSettings, device: DeviceSettings) -> None:
        left, right = (round(device.width * c) for c in (image.crop_left, image.crop_right))
        top, bottom = (round(device.height * c) for c in (image.crop_top, image.crop_bottom))
        width, height = device.width - left - right, device.height - top - bottom
        self._rows, self._columns = slice(top, top + height), slice(left, left + width)
        self.width, self.height = image.width or width, image.height or height
        self.calibration: Calibration | None = None
        """Of the images that are published; None where none is named."""
        self._maps: tuple[np.ndarray, np.ndarray] | None = None
        if not image.calibration:
            return
        whole = _of_the_device(Path(image.calibration), device)
        part = whole.cropped(left, top, width, height)
        if image.undistort:
            # Beside the crop, the same pinhole: undistorting changes no scale.
            self._maps = cv2.initUndistortRectifyMap(
                whole.matrix, whole.distortion, None, part.matrix, (width, height), cv2.CV_16SC2
            )
            part = part.undistorted()
        self.calibration = part.resized(self.width, self.height)

    def half(self, image: np.ndarray) -> bool:
        """Whether the end of a device's image was never filled, below one that is.

        What is missing is one colour, which the noise of a sensor never is.

        Args:
            image: Shape: (H, W, 3), uint8.
        """
        part = image[self._rows, self._columns]
        return _plain(part[-(len(part) // HALF) :]) and not _plain(part)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The image to publish `(height, width, 3) uint8` RGB, a new array.

        Args:
            image: Of the device, BGR. Shape: (H, W, 3), uint8.
        """
        if self._maps:
            part = cv2.remap(image, *self._maps, cv2.INTER_LINEAR)
        else:
            part = image[self._rows, self._columns]
        if part.shape[:2] != (self.height, self.width):
            part = cv2.resize(part, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(part, cv2.COLOR_BGR2RGB)


def _plain(part: np.ndarray) -> bool:
    return bool((part == part[0, 0]).all())


def _of_the_device(path: Path, device: DeviceSettings) -> Calibration:
    found = read_calibration(path)
    if (found.width, found.height) != (device.width, device.height):
        raise DataError(
            f"is of images of {found.width} x {found.height}",
            where=str(path),
            expected=f"{device.width} x {device.height}, as device.width and device.height say",
            do="Calibrate at that size, or set the device's to the calibration's",
        )
    return found
