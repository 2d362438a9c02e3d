"""Data sets of inertial sensors by one interface; `read_tracks` knows them by their layout."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from xmodal_ros.data import kinds
from xmodal_ros.data.inertial import imu_activity, mmact, recordings
from xmodal_ros.data.inertial.track import Channel, Inertial, Track, by_session
from xmodal_ros.data.visual_tactile import simulated

__all__ = ["KINDS", "Channel", "Inertial", "Track", "by_session", "read_tracks", "recognise"]

KINDS: dict[str, ModuleType] = {
    **{module.KIND: module for module in (mmact, imu_activity, recordings)},
    simulated.KIND: recordings,
}
"""Readers by kind: `recognise(root)`, `read(root, split)` and `SPLITS`."""


def recognise(root: Path) -> str:
    """Kind of the data set in a folder, empty if it is none that is known."""
    return kinds.recognise(root, KINDS)


def read_tracks(root: Path | str, kind: str = "", split: str = "") -> Inertial:
    """Read a data set, whatever is wrong with it.

    Args:
        root: Its folder.
        kind: One of `KINDS`; recognised if empty.
        split: One of the kind's `SPLITS`; its default if empty.

    Raises:
        DataError: the folder is missing or of no known kind, or the split is not known.
    """
    root = Path(root)
    reader = KINDS[kinds.choose(root, KINDS, kind, split, "data set of inertial sensors")]
    data: Inertial = reader.read(root, split) if split else reader.read(root)
    return data
