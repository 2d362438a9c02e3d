"""Points of a scan on a grid of directions, and what was found there back at the points.

A pixel keeps its nearest point; the others know their pixel too, so that each reads back what was
found in its direction. Rows are elevations, the highest first: evenly spaced, or the rings of the
scan. Columns are azimuths from left to right, seen from the sensor with its x axis in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

OUTSIDE = -1
"""Pixel of a point that is in none."""

_BIN = float(np.radians(0.02))
"""Elevations closer than this are not told apart."""
_BINS = round(np.pi / _BIN) + 1
_RING = 5
"""Bins of a learned row at most: rings of a LiDAR are 0.1 degrees or more apart."""
_SECTORS = 360
_HOLE = 20
"""Sectors without any point from which on a scan is not a full turn."""
_BLOCK = 1 << 16
"""Points at a time: what is computed on the way stays in the cache, whatever the scan's size."""
_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class RangeView:
    """The grid, and which points are on it. What is 0 of the field of view comes from each scan.

    A network's settings check the values.
    """

    rows: int
    columns: int
    lowest_deg: float = 0.0
    """Elevation of the last row, of rows that are evenly spaced; with `highest_deg` equal, rows
    are the scan's own rings."""
    highest_deg: float = 0.0
    """Elevation of the first row."""
    span_deg: float = 360.0
    """Azimuths seen, half of them left of the x axis; 0 for the scan's own."""
    nearest_m: float = 0.05
    """Nearer points are on the sensor itself, or where drivers put what sent no light back."""
    farthest_m: float = 200.0
    """Farther points are in no pixel."""


class RangeImage(NamedTuple):
    """A scan as an image."""

    image: np.ndarray
    """x, y, z and intensity of the nearest point of each pixel; zeros where there is none. Shape:
    (rows, columns, 4) float32."""
    pixels: np.ndarray
    """`row * columns + column` of each point, or `OUTSIDE`. Shape: (N,) int32."""
    nearest: np.ndarray
    """Index of the point that each pixel keeps, or `OUTSIDE`. Shape: (rows, columns) int32."""


def to_range_image(points: np.ndarray, view: RangeView) -> RangeImage:
    """Project a scan by elevation and azimuth.

    Points with a NaN, at the origin, or otherwise not within `nearest_m` to `farthest_m` are in no
    pixel, nor are those more than half a row above or below the rows. Of several equally near
    points a pixel keeps the first.

    Args:
        points: x, y, z in m and intensity. Shape: (N, 4) float32, N may be 0.
        view: The grid.
    """
    azimuth, bins, distance = _directions(points, view)
    table, sector = _rows(view, bins), _sector(view, azimuth, bins)
    cells = view.rows * view.columns
    pixels = np.empty(len(points), np.int32)
    best = np.full(cells + 1, _NONE)  # the last one is for points in no pixel
    for start in range(0, len(points), _BLOCK):
        block = slice(start, start + _BLOCK)
        row = table.take(bins[block])
        column = _columns(azimuth[block], sector, view.columns)
        inside = (row != OUTSIDE) & (column != OUTSIDE)
        found = np.where(inside, row * view.columns + column, cells)
        # Bits of positive floats are in the order of the floats. The index follows them.
        keys = distance[block].view(np.int32).astype(np.int64) << 32
        np.minimum.at(best, found, keys | np.arange(start, start + len(found)))
        pixels[block] = np.where(inside, found, OUTSIDE)
    best = best[:cells]
    nearest = np.where(best == _NONE, OUTSIDE, best & 0xFFFFFFFF).astype(np.int32)
    image = gather(points, nearest).reshape(view.rows, view.columns, 4)
    return RangeImage(image, pixels, nearest.reshape(view.rows, view.columns))


def middle(view: RangeView) -> np.ndarray:
    """A scan of one point, in the middle of the view. Shape: (1, 4) float32."""
    elevation = np.radians((view.lowest_deg + view.highest_deg) / 2)
    distance = (view.nearest_m + view.farthest_m) / 2
    return np.array([[np.cos(elevation), 0, np.sin(elevation), 0]], np.float32) * distance


def gather(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Rows by index, zeros where it is `OUTSIDE`.

    Args:
        values: Shape: (M, ...); of an image its pixels in a row, (rows * columns, ...).
        index: Shape: (N,).

    Returns:
        Shape: (N, ...).
    """
    if not len(values):
        return np.zeros((len(index), *values.shape[1:]), values.dtype)
    found: np.ndarray = values.take(index, axis=0, mode="clip")
    found[np.flatnonzero(index == OUTSIDE)] = 0
    return found


def _directions(points: np.ndarray, view: RangeView) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Azimuth in radians, bin of the elevation from above, `_BINS` if not used, distance in m."""
    azimuth, distance = np.empty((2, len(points)), np.float32)
    bins = np.empty(len(points), np.int32)
    # What overflows is too far, and a comparison with NaN is false.
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(points), _BLOCK):
            block = slice(start, start + _BLOCK)
            x, y, z, intensity = np.ascontiguousarray(points[block].T)
            flat = x * x + y * y
            away = np.sqrt(flat + z * z, out=distance[block])
            used = (away >= view.nearest_m) & (away <= view.farthest_m) & np.isfinite(intensity)
            np.arctan2(y, x, out=azimuth[block])
            elevation = np.arctan2(z, np.sqrt(flat))
            bins[block] = np.where(
                used, (np.float32(np.pi / 2) - elevation) * np.float32(1 / _BIN), _BINS
            )
    return azimuth, bins, distance


def _rows(view: RangeView, bins: np.ndarray) -> np.ndarray:
    """Row of each bin of elevation, `OUTSIDE` for none. Shape: (_BINS + 1,) int64."""
    table = np.full(_BINS + 1, OUTSIDE)
    every = np.arange(_BINS)
    if view.lowest_deg != view.highest_deg:
        top, low = (np.pi / 2 - np.radians([view.highest_deg, view.lowest_deg])) / _BIN
        row = np.floor((every + 0.5 - top) * (view.rows - 1) / (low - top) + 0.5)
        table[:-1] = np.where((row >= 0) & (row < view.rows), row, OUTSIDE)
        return table
    seen = np.bincount(bins, minlength=_BINS + 1)[:_BINS] > 0
    # A ring is a run of bins with points. A long run is many rings that cannot be told apart.
    begins = np.maximum.accumulate(np.where(seen, 0, every + 1))
    rank = np.cumsum(seen & ((every - begins) % _RING == 0)) - 1
    rings = int(rank[-1]) + 1
    table[:-1] = np.where(seen, rank * view.rows // max(rings, view.rows), OUTSIDE)
    return table


def _sector(view: RangeView, azimuth: np.ndarray, bins: np.ndarray) -> tuple[float, float]:
    """Left edge and width of what is seen: as given, or a turn without its largest hole."""
    if view.span_deg:
        width = float(np.radians(view.span_deg))
        return width / 2, width
    size = 2 * np.pi / _SECTORS
    known = azimuth[bins < _BINS]
    sectors = np.minimum((known + np.pi) / size, _SECTORS - 1).astype(np.int64)
    used = np.flatnonzero(np.bincount(sectors, minlength=_SECTORS))
    holes = np.diff(used, append=used[:1] + _SECTORS) - 1  # empty sectors after each used one
    if not len(used) or holes.max() < _HOLE:
        return np.pi, 2 * np.pi
    last = int(holes.argmax())
    # Half a sector on each side, so that rounding puts no point beside it.
    return (used[last] + 1.5) * size - np.pi, (_SECTORS - int(holes[last]) + 1) * size


def _columns(azimuth: np.ndarray, sector: tuple[float, float], columns: int) -> np.ndarray:
    """Column of each azimuth, `OUTSIDE` for none. Shape: (N,) int64."""
    left, width = sector
    turn = np.float32(2 * np.pi)
    right = np.float32(left) - azimuth  # of the left edge
    right += turn * (right < 0)
    right -= turn * (right >= turn)
    inside = right <= width
    found = np.where(inside, right * np.float32(columns / width), OUTSIDE).astype(np.int64)
    return np.minimum(found, columns - 1)
