"""Clouds and labels kept as bare numbers: files whose layout only their data set's paper tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.data.files import require
from xmodal_ros.data.point_cloud.scan import Scan


def read_points(path: Path, columns: int) -> np.ndarray:
    """Rows of float32, `(N, columns)`; an array that can be written to.

    Raises:
        DataError: the file is missing, or ends within a point.
    """
    size, row = require(path).stat().st_size, 4 * columns
    if size % row:
        raise DataError(
            f"has {size} bytes", where=str(path), expected=f"a multiple of {row}, a point's"
        )
    return np.fromfile(path, "<f4").reshape(-1, columns)


def read_labels(path: Path, dtype: str, count: int) -> np.ndarray:
    """One number per point `(count,)`.

    Raises:
        DataError: the file is missing, or has other than `count` numbers.
    """
    size = require(path).stat().st_size
    expected = count * np.dtype(dtype).itemsize
    if size != expected:
        raise DataError(
            f"has {size} bytes",
            where=str(path),
            expected=f"{expected}, {np.dtype(dtype).itemsize} of each of {count} points",
        )
    return np.fromfile(path, dtype)


def classes_of(raw: np.ndarray, table: np.ndarray, where: str) -> np.ndarray:
    """Classes `(N,) uint8` of raw labels by a table from `table_of`.

    Raises:
        DataError: a raw label is not in it.
    """
    known = raw < len(table)
    found = table[np.where(known, raw, 0)]
    known &= found >= 0
    if not known.all():
        strange = np.unique(raw[~known])
        raise DataError(
            f"{int((~known).sum())} points have the label {strange[:5].tolist()}",
            where=where,
            expected="labels that the data set names",
        )
    return found.astype(np.uint8)


def table_of(names: dict[int, str], classes: tuple[str, ...]) -> np.ndarray:
    """Class by raw label `(largest + 1,) int16`: `IGNORE` where it is no class, -1 if unknown.

    Args:
        names: Class by raw label; a name that is not among the classes is ignored.
        classes: Names of the classes.
    """
    table = np.full(max(names) + 1, -1, np.int16)
    for raw, name in names.items():
        table[raw] = classes.index(name) if name in classes else IGNORE
    return table


def scan_of_rows(
    rows: np.ndarray, scale: float, where: str, ring: int | None, labels: np.ndarray | None
) -> Scan:
    """A scan of rows x, y, z, intensity and more; rows that are not finite are left out.

    Args:
        rows: `(N, C) float32`.
        scale: The intensity of a perfect mirror.
        where: The file.
        ring: Column of the beam, if there is one.
        labels: `(N,) uint8`.
    """
    kept = np.isfinite(rows).all(axis=1)
    rows = rows if kept.all() else rows[kept]
    points = np.ascontiguousarray(rows[:, :4])
    points[:, 3] = np.clip(points[:, 3] / np.float32(scale), 0, 1)
    return Scan(
        points,
        where,
        ring=None if ring is None else rows[:, ring].astype(np.uint16),
        labels=None if labels is None else labels[kept],
    )
