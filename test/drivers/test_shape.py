"""What becomes of a device's image, against OpenCV's own points."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.drivers.gel_settings import DeviceSettings, ImageSettings
from xmodal_ros.drivers.shape import Shape

DEVICE = DeviceSettings(width=160, height=120)
MATRIX = np.array([[150.0, 0, 82], [0, 148, 58], [0, 0, 1]])
DISTORTION = np.array([-0.25, 0.05, 0.002, -0.001, 0.0])


def _written(path: Path, **changes: object) -> Path:
    values = {
        "image_width": 160,
        "image_height": 120,
        "camera_name": "gel",
        "distortion_model": "plumb_bob",
        "camera_matrix": {"rows": 3, "cols": 3, "data": MATRIX.reshape(-1).tolist()},
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": DISTORTION.tolist()},
    }
    path.write_text(yaml.safe_dump({**values, **changes}))
    return path


def _dot(at: tuple[float, float]) -> np.ndarray:
    """A soft dot in an image of the device's size."""
    y, x = np.mgrid[:120, :160]
    near = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 8)
    return np.repeat((255 * near).astype(np.uint8)[..., None], 3, 2)


def _centre(image: np.ndarray) -> np.ndarray:
    """Where the dot is, x and y."""
    weight = image[..., 0].astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def test_without_settings_only_the_order_of_colours_changes() -> None:
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    np.testing.assert_array_equal(Shape(ImageSettings(), DEVICE)(image), image[..., ::-1])


def test_a_crop_is_the_part_and_a_size_its_mean() -> None:
    settings = ImageSettings(
        crop_left=0.25, crop_right=0.125, crop_top=0.1, crop_bottom=0.2, width=50, height=42
    )
    image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    part = image[12:96, 40:140, ::-1].astype(float)
    mean = part.reshape(42, 2, 50, 2, 3).mean((1, 3))
    np.testing.assert_allclose(Shape(settings, DEVICE)(image), mean, atol=1)


@pytest.mark.parametrize("at", [(30.0, 25.0), (120.0, 90.0), (80.0, 60.0)])
def test_undistorted_points_are_where_the_calibration_that_is_told_sees_them(
    tmp_path: Path, at: tuple[float, float]
) -> None:
    settings = ImageSettings(
        crop_left=0.1,
        crop_top=0.05,
        width=288,
        height=228,
        calibration=str(_written(tmp_path / "gel.yaml")),
        undistort=True,
    )
    shape = Shape(settings, DEVICE)
    told = shape.calibration
    assert told
    points = np.array([[at]])
    seen = cv2.undistortPoints(points, MATRIX, DISTORTION, P=told.matrix).reshape(2)
    assert not told.distortion.any()
    np.testing.assert_allclose(_centre(shape(_dot(at))), seen, atol=0.3)


def test_a_distortion_that_stays_is_told_with_the_matrix_of_the_crop(tmp_path: Path) -> None:
    settings = ImageSettings(
        crop_left=0.25, crop_top=0.25, calibration=str(_written(tmp_path / "gel.yaml"))
    )
    told = Shape(settings, DEVICE).calibration
    assert told
    np.testing.assert_array_equal(told.distortion, DISTORTION)
    np.testing.assert_allclose(told.matrix[:2, 2], [82 - 40, 58 - 30])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"image_width": 640}, "is of images of 640 x 120; expected 160 x 120"),
        ({"distortion_model": "equidistant"}, "'equidistant' is not known; expected plumb_bob or"),
        ({"camera_matrix": {"data": [1, 2]}}, "lacks a part, or it has another shape"),
        ({"distortion_coefficients": None}, "lacks a part, or it has another shape"),
    ],
)
def test_calibrations_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, object], text: str
) -> None:
    path = _written(tmp_path / "gel.yaml", **changes)
    with pytest.raises(DataError, match=text):
        Shape(ImageSettings(calibration=str(path)), DEVICE)


def test_a_missing_calibration_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.yaml: cannot be read"):
        Shape(ImageSettings(calibration=str(tmp_path / "none.yaml")), DEVICE)


def test_undistorting_needs_a_calibration() -> None:
    with pytest.raises(SettingsError, match=r"image.undistort: no calibration is named"):
        ImageSettings(undistort=True)


def test_one_size_alone_is_refused() -> None:
    with pytest.raises(SettingsError, match="expected both or neither"):
        ImageSettings(width=100)


@pytest.mark.parametrize(
    ("fill", "rows", "half"),
    [(128, 60, True), (0, 16, True), (255, 100, True), (128, 8, False), (0, 120, False)],
)
def test_half_images(fill: int, rows: int, half: bool) -> None:
    """A part that was never filled is one colour; a dark image is whole."""
    image = np.random.default_rng(0).integers(100, 104, (120, 160, 3), np.uint8)
    image[120 - rows :] = fill
    assert Shape(ImageSettings(), DEVICE).half(image) is half


def test_what_is_cut_off_is_not_looked_at() -> None:
    image = np.random.default_rng(0).integers(100, 104, (120, 160, 3), np.uint8)
    image[100:] = 0
    assert not Shape(ImageSettings(crop_bottom=0.2), DEVICE).half(image)
