"""`sensor_msgs/msg/PointCloud2` to points, whatever the order, type and padding of its fields."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError

# Codes of sensor_msgs/msg/PointField.
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
_NAMES = ("x", "y", "z", "intensity")
_FLOAT = np.dtype(np.float32)
_MOST_CHANNELS = 128  # of a cv2 array


class _Layout(NamedTuple):
    """Where x, y, z, and intensity if there is one, lie in a point."""

    dtypes: tuple[np.dtype[Any], ...]
    offsets: tuple[int, ...]
    floats: bool
    """All are aligned float32 in this machine's byte order, so that a point is a row of floats."""


def decode_pointcloud2(message: Any, where: str = "lidar") -> np.ndarray:
    """Decode to `(N, 4) float32`: x, y, z in metres and intensity in [0, 1].

    A point with a NaN or infinite value is left out, so that N is below width * height.

    Intensities are 0 where there is no such field. Whole numbers are divided by their type's
    largest value. Floats carry no range: above 1 anywhere in a scan means 0..255, as most drivers
    have it, and what lies outside is clipped. (Of such a sensor, a scan with nothing above 1 is
    taken as it is.)

    Packed float32 x, y, z, intensity within 0..1 is a view of the message.

    Raises:
        DataError: no x, y or z, an unknown field type, or sizes that do not fit.
    """
    height, width, data = message.height, message.width, message.data
    step, row_step = message.point_step, message.row_step
    fields = tuple((f.name, f.offset, f.datatype) for f in message.fields if f.name in _NAMES)
    layout = _layout(fields, step, bool(message.is_bigendian), where)
    if row_step < width * step or len(data) < row_step * height:
        raise DataError(
            "row_step or data do not fit height and width",
            where=where,
            expected=f"row_step >= {width * step} and {max(row_step, width * step) * height} bytes"
            f" for {width}x{height} points, not {row_step} and {len(data)}",
            do="Check the driver that publishes it.",
        )
    if not height or not width:
        return np.zeros((0, 4), np.float32)
    shape, strides = (height, width), (row_step, step)
    intensity = None
    view = layout.offsets == (0, 4, 8, 12) and step == 16 and row_step == width * step
    if not layout.floats or row_step % 4 or step // 4 > _MOST_CHANNELS:
        view, points = False, _gather(data, shape, strides, layout)
    elif view:
        points = np.ndarray((height * width, 4), _FLOAT, data)
    else:
        points, intensity = _gather_floats(data, shape, strides, layout)
    # The sum of squares of finite values is finite (below 1e19), and costs one fast pass.
    with np.errstate(over="ignore"):
        squares = np.dot(points.reshape(-1), points.reshape(-1))
    if not np.isfinite(squares):
        view, intensity, points = False, None, points[np.isfinite(points).all(axis=1)]
    if len(layout.offsets) < len(_NAMES) or not len(points):
        return points
    intensity = np.ascontiguousarray(points[:, 3]) if intensity is None else intensity
    return _scale(points, intensity, layout.dtypes[3], view)


@lru_cache(maxsize=64)
def _layout(
    fields: tuple[tuple[str, int, int], ...], step: int, big_endian: bool, where: str
) -> _Layout:
    known = {name: (offset, code) for name, offset, code in fields}
    missing = [name for name in _NAMES[:3] if name not in known]
    if missing:
        raise DataError(
            "a cloud without " + ", ".join(missing), where=where, expected="fields x, y and z"
        )
    dtypes, offsets = [], []
    for name in (name for name in _NAMES if name in known):
        offset, code = known[name]
        if code not in _DTYPES:
            raise DataError(
                f"field '{name}' has datatype {code}",
                where=where,
                expected="1 to 8 (sensor_msgs/msg/PointField)",
            )
        dtype = np.dtype((">" if big_endian else "<") + _DTYPES[code])
        if offset + dtype.itemsize > step:
            raise DataError(
                f"field '{name}' ends at byte {offset + dtype.itemsize} of a point",
                where=where,
                expected=f"within point_step {step}",
            )
        dtypes.append(dtype)
        offsets.append(offset)
    floats = all(d == _FLOAT for d in dtypes) and not any(v % 4 for v in (step, *offsets))
    return _Layout(tuple(dtypes), tuple(offsets), floats)


def _gather_floats(
    data: Any, shape: tuple[int, int], strides: tuple[int, int], layout: _Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Points and, once more, their intensities, in one pass over the message."""
    packed = np.ndarray((*shape, strides[1] // 4), _FLOAT, data, strides=(*strides, 4))
    columns = [offset // 4 for offset in layout.offsets]
    points = (np.empty if len(columns) == 4 else np.zeros)((*shape, 4), np.float32)
    intensity = np.empty(shape, np.float32)
    pairs = [index for pair in zip(columns, range(4), strict=False) for index in pair]
    cv2.mixChannels([packed], [points, intensity], [*pairs, columns[-1], 4])
    return points.reshape(-1, 4), intensity.reshape(-1)


def _gather(
    data: Any, shape: tuple[int, int], strides: tuple[int, int], layout: _Layout
) -> np.ndarray:
    """Points of any type and byte order, one pass per field."""
    points = np.zeros((*shape, 4), np.float32)
    with np.errstate(over="ignore"):  # a double too large becomes infinite, and is left out
        for k, (dtype, offset) in enumerate(zip(layout.dtypes, layout.offsets, strict=True)):
            points[..., k] = np.ndarray(shape, dtype, data, offset, strides)
    return points.reshape(-1, 4)


def _scale(
    points: np.ndarray, intensity: np.ndarray, stored: np.dtype[Any], view: bool
) -> np.ndarray:
    """Intensity to [0, 1], in place unless `points` is a view of the message."""
    whole, high = stored.kind in "iu", intensity.max()
    if not whole and high <= 1 and intensity.min() >= 0:
        return points
    largest = float(np.iinfo(stored).max) if whole else 255.0 if high > 1 else 1.0
    points = points.copy() if view else points
    points[:, 3] = np.clip(intensity * np.float32(1 / largest), 0, 1)
    return points
