"""Data sets of LiDAR scans by one interface; `read_clouds` knows them by their layout."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud import lidar_camera, nuscenes, recordings, semantic_kitti
from xmodal_ros.data.point_cloud.scan import IGNORE, PointClouds, Scan, Sweep, View
from xmodal_ros.data.visual_tactile import simulated

__all__ = [
    "IGNORE", "KINDS", "PointClouds", "Scan", "Sweep", "View", "read_clouds", "recognise",
]  # fmt: skip

KINDS: dict[str, ModuleType] = {
    **{m.KIND: m for m in (nuscenes, semantic_kitti, lidar_camera, recordings)},
    simulated.KIND: recordings,
}
"""Readers by kind: `recognise(root)`, `read(root, split)` and `SPLITS`."""


def recognise(root: Path) -> str:
    """Kind of the data set in a folder, empty if it is none that is known."""
    return next((name for name, reader in KINDS.items() if reader.recognise(root)), "")


def read_clouds(root: Path | str, kind: str = "", split: str = "") -> PointClouds:
    """Read a data set, whatever is wrong with it; points are read by its `load`.

    Args:
        root: Its folder.
        kind: One of `KINDS`; recognised if empty.
        split: One of the kind's `SPLITS`; its default if empty.

    Raises:
        DataError: the folder is missing or of no known kind, or the split is not known.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError("no such folder", where=str(root), do="Check the data set's path.")
    known = ", ".join(KINDS)
    if kind and kind not in KINDS:
        raise DataError(f"unknown kind '{kind}'", where=str(root), expected=f"one of {known}")
    found = kind or recognise(root)
    if not found:
        raise DataError(
            "is no data set of LiDAR scans that is known by its layout",
            where=str(root),
            expected=f"the layout of one of {known}",
        )
    reader = KINDS[found]
    if split and split not in reader.SPLITS:
        raise DataError(
            f"{found} has no split '{split}'",
            where=str(root),
            expected="one of " + ", ".join(reader.SPLITS),
        )
    data: PointClouds = reader.read(root, split) if split else reader.read(root)
    return data
