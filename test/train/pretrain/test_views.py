"""Views: size, the same from the same generator, and colours as torchvision would change them."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as oracle

from xmodal_ros.train.pretrain.settings import CameraViews, TactileViews
from xmodal_ros.train.pretrain.views import camera_view, tactile_view

PLAIN = {"crop_area": 1.0, "blur": 0.0}
STILL = {**PLAIN, "flip": 0.0, "jitter": 0.0, "grey": 0.0}


class Drawn:
    """A generator whose numbers are all the same share of their range."""

    def __init__(self, share: float) -> None:
        self.share = share

    def random(self):
        return self.share

    def uniform(self, low, high, size=None):
        value = low + self.share * (high - low)
        return value if size is None else np.full(size, value)

    def integers(self, count):
        return int(self.share * count)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(60, 180, (32, 32, 3)).astype(np.uint8)


def difference(view, expected):
    return np.abs(view.astype(float) - np.asarray(expected, float)).max()


@pytest.mark.parametrize("make", [(camera_view, CameraViews()), (tactile_view, TactileViews())])
def test_gives_the_size_asked_for_from_any_image_and_repeats_itself(make):
    function, settings = make
    view = function(settings, 24, 40)
    for size in ((100, 30), (24, 40), (7, 9), (1, 1)):
        image = np.random.default_rng(1).integers(0, 255, (*size, 3)).astype(np.uint8)
        first, again, other = (view(image, np.random.default_rng(s)) for s in (5, 5, 6))
        assert first.shape == (24, 40, 3)
        assert first.dtype == np.uint8
        np.testing.assert_array_equal(first, again)
        assert size == (1, 1) or not np.array_equal(first, other)


def test_without_augmentation_nothing_changes(image):
    view = camera_view(CameraViews(**STILL), 32, 32)
    np.testing.assert_array_equal(view(image, Drawn(0.75)), image)


def as_tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)


def colour_only(image, **change):
    none = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    settings = CameraViews(**{**STILL, "jitter": 1.0, **none, **change})
    return camera_view(settings, 32, 32)(image, Drawn(0.75))  # factors 1 + change / 2


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("brightness", oracle.adjust_brightness),
        ("contrast", oracle.adjust_contrast),
        ("saturation", oracle.adjust_saturation),
    ],
)
def test_colours_change_as_torchvision_changes_them(image, name, theirs):
    expected = theirs(as_tensor(image), 1.2).permute(1, 2, 0)
    assert difference(colour_only(image, **{name: 0.4}), expected) <= 2


def test_grey_is_that_of_torchvision(image):
    view = camera_view(CameraViews(**{**STILL, "grey": 1.0}), 32, 32)(image, Drawn(0.75))
    expected = oracle.rgb_to_grayscale(as_tensor(image), 3).permute(1, 2, 0)
    assert difference(view, expected) <= 1


def test_hue_turns_and_brightness_stays():
    red = np.zeros((32, 32, 3), np.uint8) + np.array([150, 90, 90], np.uint8)
    turned = colour_only(red, hue=0.2)  # by a tenth of the circle of YIQ, which is not HSV's
    hue, *_ = colorsys.rgb_to_hsv(*turned[0, 0] / 255)
    assert 0.05 < min(hue, 1 - hue) < 0.17
    grey = [oracle.rgb_to_grayscale(as_tensor(x)).float().mean() for x in (red, turned)]
    assert grey[0] == pytest.approx(grey[1], abs=1)


def test_the_mirrored_share_is_mirrored(image):
    view = camera_view(CameraViews(**{**STILL, "flip": 1.0}), 32, 32)
    np.testing.assert_array_equal(view(image, Drawn(0.75)), image[:, ::-1])


def test_a_gel_keeps_its_colours_apart():
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, :10, 0], image[:, 10:20, 1], image[:, 20:, 2] = 100, 100, 100
    view = tactile_view(TactileViews(blur=0.0, crop_area=1.0), 32, 32)
    for seed in range(20):
        # Whatever was drawn, no channel shows what another one showed.
        made = view(image, np.random.default_rng(seed))
        assert made[16, 4].argmax() == 0
        assert made[16, 15].argmax() == 1
        assert made[16, 28].argmax() == 2
        assert np.sort(made[16, [4, 15, 28]], axis=1)[:, :2].max() == 0


def test_a_mirrored_gel_swaps_the_channels_of_its_lights(image):
    settings = TactileViews(**PLAIN, gain=0.0, brightness=0.0, lights="90,210,330")
    view = tactile_view(settings, 32, 32)
    expected = image[:, ::-1][..., [0, 2, 1]]
    assert difference(view(image, Drawn(0.9)), expected) == 0
    np.testing.assert_array_equal(view(image, Drawn(0.1)), image)


def test_blur_keeps_brightness_and_takes_detail(image):
    view = camera_view(CameraViews(**{**STILL, "blur": 1.0}), 32, 32)
    blurred = view(image, Drawn(0.99))
    assert blurred.mean() == pytest.approx(image.mean(), abs=1)
    assert blurred.std() < image.std()
