from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.runtime.preprocess import check_window, resize_image


def test_shrinking_averages_areas():
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    expected = image.reshape(4, 2, 6, 2, 3).mean((1, 3))
    assert np.abs(resize_image(image, 4, 6) - expected).max() <= 0.5


def test_an_image_of_the_right_size_is_not_copied():
    image = np.zeros((4, 6, 3), np.uint8)
    assert np.shares_memory(resize_image(image, 4, 6), image)


def test_enlarging_keeps_a_constant():
    assert (resize_image(np.full((4, 6, 3), 7, np.uint8), 9, 11) == 7).all()


@pytest.mark.parametrize(
    "image", [np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3)), np.zeros((0, 6, 3), np.uint8)]
)
def test_another_shape_or_type_is_refused(image):
    with pytest.raises(DataError, match=r"image: got an array .*; expected \(H, W, 3\) uint8"):
        resize_image(image, 4, 6)


def test_windows_are_checked():
    window = np.zeros((4, 6), np.float32)
    assert check_window(window, 4) is window
    with pytest.raises(DataError, match=r"got an array \(4, 6\); expected \(5, 6\)"):
        check_window(window, 5)
    window[2, 1] = np.nan
    with pytest.raises(DataError, match="IMU window: holds NaN or infinity"):
        check_window(window, 4)
