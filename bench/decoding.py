"""Rows `image` and `point_cloud`: decoding beside what cv_bridge and sensor_msgs_py do."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import numpy.lib.recfunctions
from sensor_msgs.msg import Image, PointCloud2, PointField

from bench.row import Row, compare, repeat, side_by_side
from xmodal_ros.data.decode import decode_image, decode_pointcloud2

IMAGES, CLOUDS = 20_000, 50


def image() -> Row:
    """A VGA rgb8 message to an array that is a view of its memory."""
    height, width = 480, 640
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.data.frombytes(bytes(3 * height * width))
    if not np.shares_memory(decode_image(message), np.frombuffer(message.data, np.uint8)):
        raise RuntimeError("decode_image copied an rgb8 image")
    try:
        from cv_bridge import CvBridge

        convert, against, at_most = CvBridge().imgmsg_to_cv2, "cv_bridge", 1 / 4
        note = "the bound is 1 µs where cv_bridge takes 4 µs"
    except ImportError:
        convert, against, at_most = _from_buffer, "numpy.frombuffer, unchecked", 1 / 0.4
        note = "cv_bridge cannot be imported here; the bound is 1 µs where frombuffer takes 0.4 µs"
    ours, theirs = side_by_side(
        repeat(decode_image, message, IMAGES), repeat(convert, message, IMAGES)
    )
    return compare(
        "image",
        "640x480 rgb8 message to numpy, without a copy",
        against,
        ours,
        theirs,
        unit="µs",
        scale=1e6 / IMAGES,
        at_most=at_most,
        note=note,
    )


def _from_buffer(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def point_cloud() -> Row:
    """120,000 points of 32 bytes to `(N, 4) float32`."""
    rng = np.random.default_rng(0)
    message = cloud_of(np.hstack([rng.normal(0, 20, (120_000, 3)), rng.random((120_000, 1))]))
    convert, how = _sensor_msgs_py()
    np.testing.assert_array_equal(decode_pointcloud2(message)[:, :3], convert(message)[:, :3])
    ours, theirs = side_by_side(
        repeat(decode_pointcloud2, message, CLOUDS), repeat(convert, message, CLOUDS)
    )
    copy, _ = side_by_side(repeat(_copy, message, CLOUDS), repeat(convert, message, CLOUDS))
    return compare(
        "point_cloud",
        "120,000 points of 32 bytes to float32 x, y, z, intensity; NaN dropped, intensity scaled",
        f"sensor_msgs_py.read_points_numpy ({how})",
        ours,
        theirs,
        unit="µs",
        scale=1e6 / CLOUDS,
        at_most=1 / 4,
        note="the details have what only copying the coordinates takes, nothing checked",
        details={"one copy (µs)": statistics.median(copy) * 1e6 / CLOUDS},
    )


def _copy(message: PointCloud2) -> np.ndarray:
    """The first 16 bytes of every point: no decoder in numpy can be faster."""
    points: np.ndarray = np.ndarray((message.width,), "V16", message.data, 0, (32,))
    return points.copy()


def cloud_of(points: np.ndarray) -> PointCloud2:
    """A message of 32 bytes a point, as common drivers lay them out.

    Args:
        points: x, y, z in metres and intensity. Shape: (N, 4).
    """
    count = len(points)
    rows = np.zeros((count, 8), np.float32)
    rows[:, :3], rows[:, 4] = points[:, :3], points[:, 3]
    offsets = {"x": 0, "y": 4, "z": 8, "intensity": 16}
    fields = [PointField(name=n, offset=o, datatype=7, count=1) for n, o in offsets.items()]
    message = PointCloud2(
        height=1, width=count, fields=fields, point_step=32, row_step=32 * count, is_dense=True
    )
    message.data.frombytes(rows.tobytes())
    return message


def _sensor_msgs_py() -> tuple[Any, str]:
    names = ["x", "y", "z", "intensity"]
    try:
        from sensor_msgs_py.point_cloud2 import read_points_numpy
    except ImportError:
        return lambda message: _like_sensor_msgs_py(message, names), "its steps, written anew"
    return lambda message: read_points_numpy(message, names), "sensor_msgs_py"


def _like_sensor_msgs_py(message: PointCloud2, names: list[str]) -> np.ndarray:
    """A structured view of all points, the named fields of it, then those as one plain array."""
    dtype = np.dtype(
        {
            "names": [f.name for f in message.fields],
            "formats": [np.float32] * len(message.fields),
            "offsets": [f.offset for f in message.fields],
            "itemsize": message.point_step,
        }
    )
    points: np.ndarray = np.ndarray(message.width * message.height, dtype, message.data)
    return np.lib.recfunctions.structured_to_unstructured(points[names])
