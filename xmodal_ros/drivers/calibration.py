"""Camera calibrations as `camera_calibration` writes them, and as crops and sizes change them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from xmodal_ros.core.errors import DataError

MODELS = ("plumb_bob", "rational_polynomial")
"""Distortion models of sensor_msgs/CameraInfo that OpenCV's pinhole functions know."""


@dataclass(frozen=True)
class Calibration:
    """How a camera sees.

    Attributes:
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        model: One of `MODELS`.
        matrix: Pinhole. Shape: (3, 3), float64.
        distortion: Coefficients. Shape: (N,), float64; empty for a lens without.
    """

    width: int
    height: int
    model: str
    matrix: np.ndarray
    distortion: np.ndarray

    def cropped(self, left: int, top: int, width: int, height: int) -> Calibration:
        """The calibration of a part of the image, in pixels."""
        matrix = self.matrix.copy()
        matrix[:2, 2] -= left, top
        return Calibration(width, height, self.model, matrix, self.distortion)

    def resized(self, width: int, height: int) -> Calibration:
        """The calibration of the image at another size."""
        across, down = width / self.width, height / self.height
        # Centres of pixels are whole numbers: the left edge of the image is at -0.5.
        scale = np.array(
            [[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]], np.float64
        )
        return Calibration(width, height, self.model, scale @ self.matrix, self.distortion)

    def undistorted(self) -> Calibration:
        """The calibration of the image without its distortion."""
        none = np.zeros(5)
        return Calibration(self.width, self.height, MODELS[0], self.matrix, none)


def read_calibration(path: Path) -> Calibration:
    """Read the YAML of camera_calibration, which camera_info_manager reads, too.

    Raises:
        DataError: it cannot be read, lacks a part, or is of another kind of lens.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    try:
        model = str(values["distortion_model"])
        made = Calibration(
            int(values["image_width"]),
            int(values["image_height"]),
            model,
            _array(values["camera_matrix"]).reshape(3, 3),
            _array(values["distortion_coefficients"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"lacks a part, or it has another shape ({error})",
            where=str(path),
            expected="image_width, image_height, distortion_model, and camera_matrix and "
            "distortion_coefficients with data, as camera_calibration writes them",
        ) from error
    if model not in MODELS:
        raise DataError(
            f"the distortion model '{model}' is not known",
            where=str(path),
            expected=" or ".join(MODELS),
        )
    return made


def _array(entry: Any) -> np.ndarray:
    return np.array(entry["data"], np.float64)
