"""Point clouds of messages and PCD files to scans, by one decoder for both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import decode_pointcloud2
from xmodal_ros.data.files import require
from xmodal_ros.data.point_cloud.scan import Scan

RINGS = ("ring", "channel", "line", "laser_id")
"""Names under which drivers give the beam of a point (Velodyne, Ouster, Hesai, Livox, ...)."""
TIMES = ("timestamp", "time", "t", "offset_time")
"""And its time: whole numbers are nanoseconds, floats seconds (nanoseconds if beyond 1e14)."""
_POINT = ("x", "y", "z", "intensity")
_CODES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}
"""Types of sensor_msgs/msg/PointField."""
_SINCE_1970_S = 1e8
"""Times above this count from 1970, those below from the scan's stamp."""


def scan_of(message: Any, stamp_ns: int, where: str, labels: np.ndarray | None = None) -> Scan:
    """A scan of a `sensor_msgs/msg/PointCloud2`; points as `decode_pointcloud2` gives them.

    Args:
        message: The message, or another object with its fields.
        stamp_ns: What times count from.
        where: Topic or file, for the text of an error.
        labels: `(width * height,) uint8`, class of each point of the message.

    Raises:
        DataError: it contradicts itself, or has another number of labels.
    """
    points = decode_pointcloud2(message, where)
    count = message.height * message.width
    if labels is not None and len(labels) != count:
        raise DataError(f"{len(labels)} labels", where=where, expected=f"one of each of {count}")
    kept: Any = slice(None)
    if len(points) != count:
        columns = [_column(message, name) for name in _POINT]
        with np.errstate(over="ignore"):
            finite = [np.isfinite(c.astype(np.float32)) for c in columns if c is not None]
        kept = np.logical_and.reduce(finite)
    ring = _first(message, RINGS)
    times = _first(message, TIMES)
    return Scan(
        points,
        where,
        ring=None if ring is None else ring[kept].astype(np.uint16),
        times_s=None if times is None else after(times[kept], stamp_ns),
        labels=None if labels is None else labels[kept],
    )


def after(times: np.ndarray, stamp_ns: int) -> np.ndarray:
    """Seconds after a stamp `(N,) float32`, to a microsecond, of times in any driver's unit."""
    finite = times[np.isfinite(times)]
    middle = float(np.median(finite)) if len(finite) else 0.0
    scale = 1e-9 if times.dtype.kind in "iu" or middle > 1e14 else 1.0
    begun_s = stamp_ns / 1e9 if middle * scale > _SINCE_1970_S else 0.0
    return (times.astype(np.float64) * scale - begun_s).astype(np.float32)


def read_pcd(path: Path) -> np.ndarray:
    """Read a PCD file: a structured array `(N,)` of its fields; ascii, binary or compressed.

    Raises:
        DataError: it is missing, damaged, or pypcd4 is not installed.
    """
    try:
        from pypcd4.pypcd4 import PointCloud
    except ImportError as error:
        raise DataError(
            "the package is not installed", where="pypcd4", do="pip install pypcd4."
        ) from error
    try:
        cloud = PointCloud.from_path(require(path))
    except DataError:
        raise
    except Exception as error:  # whatever the parts of a damaged header or block raise
        text = str(error).splitlines()
        raise DataError(
            f"cannot be read ({text[0] if text else type(error).__name__})",
            where=str(path),
            expected="a PCD file",
        ) from error
    array: np.ndarray = np.atleast_1d(cloud.pc_data)
    if len(array) != cloud.metadata.points:
        raise DataError(
            f"holds {len(array)} points",
            where=str(path),
            expected=f"{cloud.metadata.points}, as its header says",
        )
    return array


def message_of(array: np.ndarray) -> Any:
    """An object with the fields of a PointCloud2, of a structured array `(N,)`."""
    offsets: Mapping[str, Any] = array.dtype.fields or {}
    fields = [
        SimpleNamespace(name=name, offset=offset, datatype=_CODES.get(dtype.str[1:], 0))
        for name, (dtype, offset) in offsets.items()
    ]
    return SimpleNamespace(
        height=1,
        width=len(array),
        fields=fields,
        is_bigendian=False,
        point_step=array.dtype.itemsize,
        row_step=array.dtype.itemsize * len(array),
        data=np.ascontiguousarray(array).view(np.uint8),
    )


def _first(message: Any, names: tuple[str, ...]) -> np.ndarray | None:
    """The first of these fields that is there."""
    columns = (_column(message, name) for name in names)
    return next((column for column in columns if column is not None), None)


def _column(message: Any, name: str) -> np.ndarray | None:
    """A field of all points `(height * width,)`, None if there is none or its type is unknown."""
    kinds = {code: kind for kind, code in _CODES.items()}
    field = next((f for f in message.fields if f.name == name), None)
    if field is None or field.datatype not in kinds:
        return None
    dtype = np.dtype((">" if message.is_bigendian else "<") + kinds[field.datatype])
    shape, strides = (message.height, message.width), (message.row_step, message.point_step)
    if field.offset + dtype.itemsize > message.point_step or 0 in shape:
        return None
    column: np.ndarray = np.ndarray(shape, dtype, message.data, field.offset, strides)
    return column.reshape(-1)
