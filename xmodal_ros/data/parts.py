"""Parts of a data set: train, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from xmodal_ros.core.errors import DataError


class Parted(Protocol):
    """Something of a data set that is in a part."""

    @property
    def part(self) -> str:
        """Name of the part; empty for none."""


Item = TypeVar("Item", bound=Parted)


def of_part(items: Sequence[Item], name: str, root: Path) -> tuple[Item, ...]:
    """Items of one part.

    Args:
        items: All of the data set's.
        name: Of the part.
        root: The data set's folder, for the error.

    Raises:
        DataError: there is no such part.
    """
    chosen = tuple(item for item in items if item.part == name)
    if not chosen:
        known = ", ".join(dict.fromkeys(item.part for item in items if item.part)) or "none"
        raise DataError(f"no part '{name}'", where=str(root), expected=f"one of {known}")
    return chosen
