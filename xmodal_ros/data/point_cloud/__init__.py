"""Data sets of LiDAR scans by one interface; `read_clouds` knows them by their layout."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.data import kinds
from xmodal_ros.data.point_cloud import lidar_camera, nuscenes, recordings, semantic_kitti
from xmodal_ros.data.point_cloud.scan import PointClouds, Scan, Sweep, View
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
    return kinds.recognise(root, KINDS)


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
    reader = KINDS[kinds.choose(root, KINDS, kind, split, "data set of LiDAR scans")]
    data: PointClouds = reader.read(root, split) if split else reader.read(root)
    return data
