"""`sensor_msgs/msg/Image` to arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the pixels of an encoding lie in memory and become RGB."""

    dtype: np.dtype[Any]
    channels: int
    convert: Callable[[np.ndarray], np.ndarray] | None = None
    """From the array in memory to what `decode_image` gives; None where they are the same."""
    to_rgb: Callable[[np.ndarray], np.ndarray] | None = None
    """From what `decode_image` gives to RGB; None where that is RGB, or a depth image."""
    depth: bool = False
    even_width: bool = False


def _cv(code: int) -> Callable[[np.ndarray], np.ndarray]:
    def convert(image: np.ndarray) -> np.ndarray:
        return cv2.cvtColor(image, code)

    return convert


def _eight_bits(image: np.ndarray) -> np.ndarray:
    """The full range 0..65535 to 0..255, as cv_bridge does, then grey to RGB."""
    return cv2.cvtColor(cv2.convertScaleAbs(image, alpha=255 / 65535), cv2.COLOR_GRAY2RGB)


_U8, _U16, _F32 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)
_BGR = Encoding(_U8, 3, _cv(cv2.COLOR_BGR2RGB))
_UYVY = Encoding(_U8, 2, _cv(cv2.COLOR_YUV2RGB_UYVY), even_width=True)
_YUYV = Encoding(_U8, 2, _cv(cv2.COLOR_YUV2RGB_YUY2), even_width=True)

ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(_U8, 3),
    "bgr8": _BGR,
    "8UC3": _BGR,  # the order is not said; OpenCV's is assumed, as cv_bridge does
    "rgba8": Encoding(_U8, 4, _cv(cv2.COLOR_RGBA2RGB)),
    "bgra8": Encoding(_U8, 4, _cv(cv2.COLOR_BGRA2RGB)),
    "mono8": Encoding(_U8, 1, to_rgb=_cv(cv2.COLOR_GRAY2RGB)),
    "mono16": Encoding(_U16, 1, to_rgb=_eight_bits),
    "16UC1": Encoding(_U16, 1, depth=True),  # millimetres, REP 118
    "32FC1": Encoding(_F32, 1, depth=True),  # metres, REP 118
    # ROS names the first 2x2 pixels, OpenCV's codes those at (1, 1).
    "bayer_rggb8": Encoding(_U8, 1, _cv(cv2.COLOR_BayerBG2RGB)),
    "bayer_bggr8": Encoding(_U8, 1, _cv(cv2.COLOR_BayerRG2RGB)),
    "bayer_gbrg8": Encoding(_U8, 1, _cv(cv2.COLOR_BayerGR2RGB)),
    "bayer_grbg8": Encoding(_U8, 1, _cv(cv2.COLOR_BayerGB2RGB)),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
}
"""The encodings decoded here; others go through cv_bridge where that is installed."""


def decode_image(message: Any, where: str = "image") -> np.ndarray:
    """Decode colour to `(H, W, 3) uint8` RGB, and one channel to `(H, W)` in its own dtype.

    A view of the message for rgb8 and for one channel in this machine's byte order.

    Raises:
        DataError: unknown encoding, zero size, or step or data that do not fit.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        return _by_cv_bridge(message, where)
    return _decode(message, encoding, where)


def decode_rgb(message: Any, where: str = "image") -> np.ndarray:
    """Decode a camera or gel image to `(H, W, 3) uint8` RGB.

    Grey is replicated; mono16 is scaled from 0..65535 to 0..255 first.

    Raises:
        DataError: as `decode_image`, or a depth image.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        return _by_cv_bridge(message, where)
    if encoding.depth:
        raise DataError(
            f"'{message.encoding}' is a depth image",
            where=where,
            expected="a colour or grey image",
            do="Point the stream at the camera's colour topic.",
        )
    image = _decode(message, encoding, where)
    return encoding.to_rgb(image) if encoding.to_rgb else image


def _decode(message: Any, encoding: Encoding, where: str) -> np.ndarray:
    height, width, step, data = message.height, message.width, message.step, message.data
    dtype, channels = encoding.dtype, encoding.channels
    pixel = dtype.itemsize * channels
    if not height or not width:
        raise DataError(
            "an image of zero size",
            where=where,
            expected=f"at least one pixel, not {width}x{height}",
            do="Check the driver that publishes it.",
        )
    if step < width * pixel or len(data) != step * height:
        raise DataError(
            "step or data do not fit height and width",
            where=where,
            expected=f"step >= {width * pixel} and {max(step, width * pixel) * height} bytes for "
            f"{width}x{height} {message.encoding}, not {step} and {len(data)}",
            do="Check the driver that publishes it.",
        )
    if encoding.even_width and width % 2:
        raise DataError(
            f"{message.encoding} of odd width", where=where, expected=f"an even one, not {width}"
        )
    swapped = dtype.itemsize > 1 and bool(message.is_bigendian) != (sys.byteorder == "big")
    stored = dtype.newbyteorder("S") if swapped else dtype
    axes = 2 if channels == 1 else 3
    shape = (height, width, channels)[:axes]
    strides = (step, pixel, dtype.itemsize)[:axes]
    image: np.ndarray = np.ndarray(shape, stored, data, strides=strides)
    if swapped:
        image = image.astype(dtype)
    if encoding.convert is None:
        return image
    try:
        return encoding.convert(image)
    except cv2.error as error:
        raise DataError(
            f"{message.encoding} cannot be converted",
            where=where,
            expected=f"what OpenCV takes ({error})",
        ) from error


def _by_cv_bridge(message: Any, where: str) -> np.ndarray:
    """RGB of a rare encoding, where cv_bridge is there and knows it."""
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except ImportError:
        raise DataError(
            f"unknown encoding '{message.encoding}'",
            where=where,
            expected="one of " + ", ".join(ENCODINGS),
            do="Convert it before it is published, or install cv_bridge.",
        ) from None
    try:
        image: np.ndarray = CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8")
        return image
    except (CvBridgeError, ValueError, cv2.error) as error:
        raise DataError(
            f"cv_bridge cannot decode '{message.encoding}'",
            where=where,
            expected="one of " + ", ".join(ENCODINGS),
            do=f"It says: {error}",
        ) from error
