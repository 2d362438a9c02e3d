from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from xmodal_ros.nn.normalize import NORMALIZATIONS, normalize


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(40, 120, (2, 40, 56, 3), dtype=torch.uint8, generator=generator)


def oracle_imagenet(images: np.ndarray) -> np.ndarray:
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return ((images / 255 - mean) / std).transpose(0, 3, 1, 2)


def test_constants(images):
    array = images.numpy()
    np.testing.assert_allclose(normalize(images, "imagenet"), oracle_imagenet(array), atol=1e-4)
    centred = (array.transpose(0, 3, 1, 2).astype(float) - 127) / 128
    np.testing.assert_allclose(normalize(images, "centred"), centred, atol=1e-6)


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_each_image_is_on_its_own(images, kind):
    both = normalize(images, kind)
    assert both.shape == (2, 3, 40, 56)
    torch.testing.assert_close(both[:1], normalize(images[:1], kind))


def test_colour_has_zero_mean_and_unit_variance(images):
    x = normalize(images, "colour")
    torch.testing.assert_close(x.mean((2, 3)), torch.zeros(2, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.square().mean((2, 3)), torch.ones(2, 3))


@pytest.mark.parametrize("kind", ["colour", "highpass", "relative"])
def test_brightness_of_the_light_hardly_matters(images, kind):
    dim, bright = normalize(images, kind), normalize(2 * images, kind)
    assert (dim - bright).norm() < 0.2 * dim.norm()


@pytest.mark.parametrize("kind", ["colour", "highpass"])
def test_a_flat_image_gives_zeros_not_noise(kind):
    flat = torch.full((1, 40, 56, 3), 90, dtype=torch.uint8)
    torch.testing.assert_close(normalize(flat, kind), torch.zeros(1, 3, 40, 56), atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(40, 56), (43, 58)])
def test_relative_is_the_image_over_its_blurred_self(shape):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, *shape, 3), dtype=torch.uint8, generator=generator)
    x = images.permute(0, 3, 1, 2).float()
    small = F.adaptive_avg_pool2d(x, (shape[0] // 4, shape[1] // 4))
    for _ in range(2):  # 0.18 of the width, odd
        small = F.avg_pool2d(small, 3, 1, 1, count_include_pad=False)
    blurred = F.interpolate(small, shape, mode="bilinear", align_corners=False)
    expected = x / (blurred + 8) - 1
    torch.testing.assert_close(normalize(images, "relative"), expected, atol=1e-5, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(normalize(images, "relative"), expected, atol=1e-5, rtol=0)
