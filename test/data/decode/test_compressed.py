"""Compressed images against what was compressed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import decode_compressed

COMPRESSED = "sensor_msgs/msg/CompressedImage"


@pytest.fixture
def rgb() -> np.ndarray:
    """A smooth picture, which JPEG keeps."""
    y, x = np.mgrid[0:64, 0:96].astype(np.float32)
    return np.stack([2 * x, 3 * y, 255 - 2 * x], axis=-1).astype(np.uint8)


def packed(rgb: np.ndarray, suffix: str) -> np.ndarray:
    return cv2.imencode(suffix, rgb[..., ::-1])[1].reshape(-1)


@pytest.mark.parametrize("form", ["jpeg", "jpg", "rgb8; jpeg compressed bgr8", ""])
def test_jpeg(build, rgb, form) -> None:
    image = decode_compressed(build(COMPRESSED, {"format": form, "data": packed(rgb, ".jpg")}))
    assert image.shape == rgb.shape
    assert np.abs(image.astype(int) - rgb).mean() < 3


@pytest.mark.parametrize("form", ["png", "bgr8; png compressed bgr8"])
def test_png_is_exact(build, rgb, form) -> None:
    image = decode_compressed(build(COMPRESSED, {"format": form, "data": packed(rgb, ".png")}))
    np.testing.assert_array_equal(image, rgb)


def test_what_was_compressed_as_rgb_is_swapped_back(build, rgb) -> None:
    data = packed(rgb[..., ::-1], ".png")  # the publisher gave RGB to an encoder that wants BGR
    form = "rgb8; png compressed rgb8"
    image = decode_compressed(build(COMPRESSED, {"format": form, "data": data}))
    np.testing.assert_array_equal(image, rgb)


def test_zeros_behind_a_jpeg_do_no_harm(build, rgb) -> None:
    data = np.pad(packed(rgb, ".jpg"), (0, 100))
    assert decode_compressed(build(COMPRESSED, {"data": data})).shape == rgb.shape


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".png", "PNG")])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_cut_image_is_refused(build, rgb, suffix, kind, share) -> None:
    data = packed(rgb, suffix)
    message = build(COMPRESSED, {"format": kind.lower(), "data": data[: int(len(data) * share)]})
    with pytest.raises(DataError, match=f"/c: a {kind} that is cut short"):
        decode_compressed(message, "/c")


def test_a_damaged_image_is_refused(build, rgb) -> None:
    data = packed(rgb, ".png")
    data[8:40] = 0
    with pytest.raises(DataError, match="/c: a PNG that is damaged"):
        decode_compressed(build(COMPRESSED, {"format": "png", "data": data}), "/c")


@pytest.mark.parametrize("data", [b"", b"RIFF0000WEBP"])
def test_another_format_is_refused(build, data) -> None:
    message = build(COMPRESSED, {"format": "webp", "data": np.frombuffer(data, np.uint8)})
    with pytest.raises(DataError, match="/c: neither JPEG nor PNG but 'webp'"):
        decode_compressed(message, "/c")


@pytest.mark.parametrize("form", ["16UC1; compressedDepth png", "16UC1; png compressed "])
def test_depth_is_refused(build, form) -> None:
    data = packed(np.zeros((4, 4, 3), np.uint8), ".png")
    with pytest.raises(DataError, match="is a depth image; expected a colour or grey image"):
        decode_compressed(build(COMPRESSED, {"format": form, "data": data}), "/c")
