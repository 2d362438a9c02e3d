"""Images against arrays made by hand."""

from __future__ import annotations

import sys
import types

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import decode_image, decode_rgb
from xmodal_ros.data.decode.image import ENCODINGS

IMAGE = "sensor_msgs/msg/Image"
COLOUR = np.array([200, 120, 40], np.uint8)


def fields(array: np.ndarray, encoding: str, pad: int = 0, bigendian: bool = False) -> dict:
    """Fields of an image whose rows end in `pad` bytes."""
    rows = np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)
    rows = np.pad(rows, ((0, 0), (0, pad)), constant_values=77)
    return {
        "height": array.shape[0],
        "width": array.shape[1],
        "step": rows.shape[1],
        "encoding": encoding,
        "is_bigendian": int(bigendian),
        "data": rows.reshape(-1),
    }


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


@pytest.mark.parametrize("pad", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [
        ("rgb8", [0, 1, 2]),
        ("bgr8", [2, 1, 0]),
        ("8UC3", [2, 1, 0]),
        ("rgba8", [0, 1, 2, 0]),
        ("bgra8", [2, 1, 0, 0]),
    ],
)
def test_colour_of_any_order_and_padding(build, rgb, encoding, order, pad) -> None:
    message = build(IMAGE, fields(rgb[..., order], encoding, pad))
    np.testing.assert_array_equal(decode_rgb(message), rgb)
    np.testing.assert_array_equal(decode_image(message), rgb)


@pytest.mark.parametrize("pad", [0, 5])
def test_rgb8_is_a_view_of_the_message(build, rgb, pad) -> None:
    message = build(IMAGE, fields(rgb, "rgb8", pad))
    assert np.shares_memory(decode_rgb(message), np.frombuffer(message.data, np.uint8))


def test_a_view_outlives_its_message(build, rgb) -> None:
    message = build(IMAGE, fields(rgb, "rgb8"))
    image = decode_rgb(message)
    del message
    np.testing.assert_array_equal(image, rgb)


def test_mono8_is_replicated(build) -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    message = build(IMAGE, fields(grey, "mono8", 3))
    np.testing.assert_array_equal(decode_rgb(message), np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(decode_image(message), grey)


@pytest.mark.parametrize("bigendian", [False, True])
def test_mono16_is_scaled_over_its_full_range(build, bigendian) -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    stored = values.astype(">u2" if bigendian else "<u2")
    message = build(IMAGE, fields(stored, "mono16", bigendian=bigendian))
    np.testing.assert_array_equal(decode_rgb(message)[..., 0], [[0, 1, 128, 255]])
    np.testing.assert_array_equal(decode_image(message), values)


@pytest.mark.parametrize("bigendian", [False, True])
@pytest.mark.parametrize(("encoding", "kind"), [("16UC1", "u2"), ("32FC1", "f4")])
def test_depth_stays_as_it_is(build, encoding, kind, bigendian) -> None:
    depth = np.array([[1, 2, 3], [500, 1000, 60000]]).astype(kind)
    stored = depth.astype((">" if bigendian else "<") + kind)
    image = decode_image(build(IMAGE, fields(stored, encoding, 8, bigendian)))
    np.testing.assert_array_equal(image, depth)
    assert image.dtype == np.dtype(kind)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_is_refused_as_a_camera(build, encoding) -> None:
    depth = np.ones((2, 2), np.uint16 if encoding == "16UC1" else np.float32)
    with pytest.raises(DataError, match=f"/cam: '{encoding}' is a depth image; expected a colour"):
        decode_rgb(build(IMAGE, fields(depth, encoding)), "/cam")


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_of_one_colour_gives_that_colour(build, pattern) -> None:
    cell = [COLOUR["rgb".index(letter)] for letter in pattern]
    mosaic = np.tile(np.array(cell, np.uint8).reshape(2, 2), (4, 5))
    image = decode_rgb(build(IMAGE, fields(mosaic, f"bayer_{pattern}8", 2)))
    np.testing.assert_array_equal(image, np.broadcast_to(COLOUR, (8, 10, 3)))


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")],
)
def test_yuv422_of_one_colour_gives_that_colour(build, encoding, order) -> None:
    red, green, blue = COLOUR / 255.0
    luma = 16 + 65.481 * red + 128.553 * green + 24.966 * blue  # ITU-R BT.601
    u = 128 - 37.797 * red - 74.203 * green + 112.0 * blue
    v = 128 + 112.0 * red - 93.786 * green - 18.214 * blue
    pair = [{"y": luma, "u": u, "v": v}[letter] for letter in order]
    raw = np.tile(np.rint(pair).astype(np.uint8), (4, 3)).reshape(4, 6, 2)
    image = decode_rgb(build(IMAGE, fields(raw, encoding, 4)))
    assert image.shape == (4, 6, 3)
    assert np.abs(image.astype(int) - COLOUR).max() <= 2


def test_yuv422_needs_an_even_width(build) -> None:
    raw = np.zeros((2, 3, 2), np.uint8)
    with pytest.raises(DataError, match=r"/c: yuyv of odd width; expected an even one, not 3"):
        decode_rgb(build(IMAGE, fields(raw, "yuyv")), "/c")


def test_unknown_encoding_lists_the_known_ones(rosbags_message, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    message = rosbags_message(IMAGE, fields(np.zeros((2, 2, 1), np.uint8), "nv21"))
    with pytest.raises(DataError) as caught:
        decode_rgb(message, "/cam")
    text = str(caught.value)
    assert text.startswith("/cam: unknown encoding 'nv21'; expected one of rgb8, bgr8")
    assert all(name in text for name in ENCODINGS)
    assert text.endswith("or install cv_bridge.")


@pytest.fixture
def cv_bridge(monkeypatch):
    """A stand-in for cv_bridge, which is on robots only."""
    module = types.ModuleType("cv_bridge")
    module.CvBridgeError = type("CvBridgeError", (TypeError,), {})

    class CvBridge:
        def imgmsg_to_cv2(self, message, desired_encoding):
            if message.encoding != "nv21":
                raise module.CvBridgeError("no conversion")
            return np.full((message.height, message.width, 3), 9, np.uint8)

    module.CvBridge = CvBridge
    monkeypatch.setitem(sys.modules, "cv_bridge", module)


@pytest.mark.usefixtures("cv_bridge")
def test_rare_encodings_go_through_cv_bridge(rosbags_message) -> None:
    message = rosbags_message(IMAGE, fields(np.zeros((2, 2, 1), np.uint8), "nv21"))
    np.testing.assert_array_equal(decode_rgb(message), np.full((2, 2, 3), 9))


@pytest.mark.usefixtures("cv_bridge")
def test_what_cv_bridge_cannot_do_either_is_said(rosbags_message) -> None:
    message = rosbags_message(IMAGE, fields(np.zeros((2, 2, 1), np.uint8), "rubbish"))
    with pytest.raises(DataError, match=r"/c: cv_bridge cannot decode 'rubbish'.*no conversion"):
        decode_rgb(message, "/c")


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (0, 0)])
def test_zero_size_is_refused(build, size) -> None:
    message = build(IMAGE, fields(np.zeros((2, 2, 3), np.uint8), "rgb8"))
    message.height, message.width = size
    with pytest.raises(DataError, match=f"/c: an image of zero size.*{size[1]}x{size[0]}"):
        decode_rgb(message, "/c")


@pytest.mark.parametrize(
    ("changed", "numbers"),
    [
        ({"step": 23}, "not 23 and 144"),
        ({"height": 7}, "not 24 and 144"),
        ({"width": 9}, "not 24 and 144"),
        ({"step": 30}, "not 30 and 144"),
        ({"height": 5}, "not 24 and 144"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(build, rgb, changed, numbers) -> None:
    message = build(IMAGE, {**fields(rgb, "rgb8"), **changed})
    with pytest.raises(DataError, match="/c: step or data do not fit height and width") as caught:
        decode_rgb(message, "/c")
    assert numbers in str(caught.value)


def test_what_opencv_refuses_is_a_data_error(rosbags_message, monkeypatch) -> None:
    def refuse(image, code):
        raise cv2.error("no")

    message = rosbags_message(IMAGE, fields(np.zeros((2, 2, 3), np.uint8), "bgr8"))
    monkeypatch.setattr(cv2, "cvtColor", refuse)
    with pytest.raises(DataError, match="/c: bgr8 cannot be converted"):
        decode_rgb(message, "/c")
