"""Scans as range images and where each of their pixels is in a camera's image, kept on disk.

Everything is learned on range images: a pixel's point stands for all points in its direction, so
that a batch has one size. Only measures are taken at every point of a scan.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.range_image import OUTSIDE, RangeView, to_range_image
from xmodal_ros.data.files import require
from xmodal_ros.data.point_cloud import IGNORE, PointClouds, Sweep, View
from xmodal_ros.data.point_cloud.projection import nothing_seen, project
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.pretrain.files import save_bytes

CELL_PX = 4
"""Side of the cells in which the nearest point hides others; neighbouring cells count as well."""
BEHIND = 0.15
"""Share by which a point is farther than the nearest one there, from which on it is hidden: more
than a table seen at a low angle has between neighbouring cells."""
_VERSION = 1


class Frame(NamedTuple):
    """A scan."""

    scan: np.ndarray
    """Range image `(H, W, 4) float32`."""
    labels: np.ndarray
    """Class of each pixel's point `(H, W) uint8`, `IGNORE` where there is none."""
    pixels: np.ndarray
    """Pixel of every point `(N,) int32`, `OUTSIDE` for none."""
    truth: np.ndarray
    """Class of every point `(N,) uint8`, or `IGNORE`."""


class Seen(NamedTuple):
    """What a camera sees of a frame."""

    image: np.ndarray
    """`(h, w, 3) uint8`."""
    uv: np.ndarray
    """Column and row in `image` of each pixel's point `(H * W, 2) float32`, NaN where it is not
    seen: beside the image, or hidden by something before it."""


class Frames:
    """Frames and what cameras see of them, made once and read back from then on.

    Args:
        cache: Folder to keep them in.
        view: How scans become range images.
        size: Height and width of images.
    """

    def __init__(self, cache: Path, view: RangeView, size: tuple[int, int]) -> None:
        self.view = view
        self._cache, self._size = cache, size

    def frame(self, data: PointClouds, sweep: Sweep) -> Frame:
        """A scan.

        Raises:
            DataError: it cannot be read, or none of its points is in the range image.
        """
        return Frame(**self._kept(data, sweep, "", lambda: self._frame(data, sweep)))

    def seen(self, data: PointClouds, sweep: Sweep, view: View) -> Seen:
        """What one of a sweep's cameras sees of it.

        Raises:
            DataError: scan or image cannot be read, or the image shows no point.
        """
        told = f"{view.name} {self._size}"
        kept = self._kept(data, sweep, told, lambda: self._seen(data, sweep, view))
        uv = np.full((self.view.rows * self.view.columns, 2), np.nan, np.float32)
        uv[kept["shown"]] = kept["uv"]
        return Seen(kept["image"], uv)

    def _frame(self, data: PointClouds, sweep: Sweep) -> dict[str, Any]:
        scan = data.load(sweep)
        made = to_range_image(scan.points, self.view)
        if not (made.pixels != OUTSIDE).any():
            raise DataError(
                f"none of {len(scan)} points is in the range image",
                where=scan.where,
                expected="points within the view that the lidar's settings describe",
            )
        truth = np.full(len(scan), IGNORE, np.uint8) if scan.labels is None else scan.labels
        labels = np.where(made.nearest == OUTSIDE, IGNORE, truth[made.nearest]).astype(np.uint8)
        return {"scan": made.image, "labels": labels, "pixels": made.pixels, "truth": truth}

    def _seen(self, data: PointClouds, sweep: Sweep, view: View) -> dict[str, Any]:
        points = self.frame(data, sweep).scan.reshape(-1, 4)
        height, width = self._size
        uv = where_seen(points, view, self._size)
        # A camera sees few of them: keeping all would take ten times as much.
        shown = np.flatnonzero(~np.isnan(uv[:, 0]))
        if not len(shown):
            raise DataError(
                nothing_seen(points, view, project(points, view)), where=view.camera.where
            )
        image = resize_image(view.image(), height, width)
        return {"image": image, "shown": shown.astype(np.int32), "uv": uv[shown]}

    def _kept(
        self, data: PointClouds, sweep: Sweep, what: str, make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        file = require(sweep.source.path).stat()
        key = (
            _VERSION, self.view, what, sweep.name, str(data.root.resolve()), file.st_size,
            file.st_mtime_ns,
        )  # fmt: skip
        path = self._cache / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.npz"
        if not path.exists():
            buffer = io.BytesIO()
            np.savez(buffer, **make())
            save_bytes(path, buffer.getvalue())
        with np.load(path) as arrays:
            return dict(arrays)


def where_seen(points: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """Column and row of points in an image of another size.

    A point is hidden if it is farther by `BEHIND` than the nearest one in its cell of the image or
    in a neighbouring one.

    Args:
        points: `(N, 4)`.
        view: The camera.
        size: Height and width to which its image is resized.

    Returns:
        `(N, 2) float32`, NaN of points that are not seen.
    """
    pixels = project(points, view)
    high = np.array((size[1], size[0]))
    scale = high / (view.camera.width, view.camera.height)
    found = (pixels.uv[pixels.inside] + 0.5) * scale - 0.5
    # Rounded to float32 they must not leave the last pixel.
    found = np.clip(found, -0.499, high - 0.501)
    depth = pixels.depth[pixels.inside].astype(np.float32)
    column, row = ((found + 0.5) // CELL_PX).astype(np.int64).T
    nearest = np.full((-(-size[0] // CELL_PX), -(-size[1] // CELL_PX)), np.inf, np.float32)
    np.minimum.at(nearest, (row, column), depth)
    around = np.asarray(cv2.erode(nearest, np.ones((3, 3), np.uint8)))
    found[depth > around[row, column] * (1 + BEHIND)] = np.nan
    uv = np.full((len(points), 2), np.nan, np.float32)
    uv[pixels.inside] = found
    return uv
