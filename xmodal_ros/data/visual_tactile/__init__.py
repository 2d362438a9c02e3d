"""Visual-tactile data sets by one interface; `open_dataset` knows them by their layout."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.kinds import choose
from xmodal_ros.data.visual_tactile import (
    feeling_of_success,
    objectfolder,
    objectfolder_real,
    recordings,
    simulated,
    slip,
    touch_and_go,
)
from xmodal_ros.data.visual_tactile.example import (
    OFFICIAL,
    Example,
    Problem,
    VisualTactile,
    refuse_leaks,
)

__all__ = ["KINDS", "Example", "Problem", "VisualTactile", "open_dataset", "read_dataset"]

KINDS: dict[str, ModuleType] = {
    module.KIND: module
    for module in (
        touch_and_go, feeling_of_success, objectfolder, objectfolder_real, slip, simulated,
        recordings,
    )
}  # fmt: skip
"""Readers by kind: `recognise(root)`, `read(root, split)` and `SPLITS`, the default first.

A folder is of the first kind that recognises it.
"""


def read_dataset(
    root: Path | str, kind: str = "", split: str = "", *, history_s: float = 0.0
) -> VisualTactile:
    """Read a data set, whatever is wrong with it.

    Args:
        root: Its folder.
        kind: One of `KINDS`; recognised if empty.
        split: One of the kind's `SPLITS`; its default if empty.
        history_s: How far clips of recordings and videos reach back; with 0 an example of a
            recording has single images, one of a video all.

    Raises:
        DataError: the folder is missing or of no known kind, or the split is not known.
    """
    root = Path(root)
    found = choose(root, KINDS, kind, split, "data set")
    options: dict[str, Any] = {"split": split} if split else {}
    if found in (recordings.KIND, simulated.KIND, slip.KIND):
        options["history_s"] = history_s
    data: VisualTactile = KINDS[found].read(root, **options)
    return data


def open_dataset(
    root: Path | str,
    kind: str = "",
    split: str = "",
    *,
    force: bool = False,
    history_s: float = 0.0,
) -> VisualTactile:
    """Read a data set to train or evaluate on; a split that leaks is refused.

    An official split that is asked for by its name is used though it leaks, with a warning.

    Args:
        root: Its folder.
        kind: One of `KINDS`; recognised if empty.
        split: One of the kind's `SPLITS`; its default if empty.
        force: Use a split that leaks, with a warning.
        history_s: As `read_dataset`.

    Raises:
        DataError: as `read_dataset`; a group is in two parts; or no example is left.
    """
    data = read_dataset(root, kind, split, history_s=history_s)
    if not data.examples:
        why = f": {data.problems[0]}" if data.problems else ""
        raise DataError(
            f"holds no example that can be used{why}",
            where=str(root),
            do="See `xmodal data check`.",
        )
    refuse_leaks(data, force=force or split == OFFICIAL)
    return data
