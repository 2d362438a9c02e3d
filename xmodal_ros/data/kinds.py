"""Which reader a data set needs: the one that is named, or the first that knows its layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from xmodal_ros.core.errors import DataError


def recognise(root: Path, kinds: Mapping[str, ModuleType]) -> str:
    """Kind of the data set in a folder, empty if it is none that is known."""
    return next((name for name, reader in kinds.items() if reader.recognise(root)), "")


def choose(root: Path, kinds: Mapping[str, ModuleType], kind: str, split: str, what: str) -> str:
    """Kind of a data set, checked.

    Args:
        root: Its folder.
        kinds: Readers by kind: `recognise(root)`, `read(root, split)` and `SPLITS`.
        kind: One of them; recognised if empty.
        split: One of the kind's `SPLITS`, or empty.
        what: What is looked for, such as "data set of LiDAR scans".

    Raises:
        DataError: the folder is missing or of no known kind, or the split is not known.
    """
    if not root.is_dir():
        raise DataError("no such folder", where=str(root), do="Check the data set's path.")
    known = ", ".join(kinds)
    if kind and kind not in kinds:
        raise DataError(f"unknown kind '{kind}'", where=str(root), expected=f"one of {known}")
    found = kind or recognise(root, kinds)
    if not found:
        raise DataError(
            f"is no {what} that is known by its layout",
            where=str(root),
            expected=f"the layout of one of {known}",
            do="Name the folder that holds it, or its --kind.",
        )
    splits = kinds[found].SPLITS
    if split and split not in splits:
        raise DataError(
            f"{found} has no split '{split}'",
            where=str(root),
            expected="one of " + ", ".join(splits),
        )
    return found
