"""Splits of data sets as files: which file is in which part, by group, with its content's hash.

A split is a CSV table, one row per file: `file` (relative to the data set's folder), `group` (what
must not be in two parts: an object, a person, a texture), `part` (train, validation or test) and
`sha256`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import read_table, sha256

FOLDER = Path(__file__).parent / "split_files"
"""Where the project's own splits are, one per data set."""
COLUMNS = ("file", "group", "part", "sha256")


@dataclass(frozen=True, slots=True)
class Row:
    """One file of a data set."""

    file: str
    group: str
    part: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Split:
    """A data set's files by part."""

    rows: tuple[Row, ...]
    sha256: str
    """Of the table itself, to be kept with what was trained on it."""

    def groups(self, part: str) -> tuple[str, ...]:
        """Groups of a part, in the order of the table."""
        return tuple(dict.fromkeys(row.group for row in self._of(part)))

    def files(self, part: str) -> tuple[str, ...]:
        """Files of a part, in the order of the table."""
        return tuple(row.file for row in self._of(part))

    def _of(self, part: str) -> list[Row]:
        rows = [row for row in self.rows if row.part == part]
        if not rows:
            known = ", ".join(dict.fromkeys(row.part for row in self.rows))
            raise DataError(f"no part '{part}'", where="split", expected=f"one of {known}")
        return rows


def load_split(path: Path, root: Path | None = None) -> Split:
    """Read a split and check that no group is in two parts.

    Args:
        path: The table.
        root: Folder of the data set; every file's content is checked if it is given.

    Raises:
        DataError: a column or a file is missing, a group leaks, or a file has another content.
    """
    split = Split(tuple(Row(**_only(row)) for row in read_table(path, COLUMNS)), sha256(path))
    parts: dict[str, str] = {}
    for row in split.rows:
        if parts.setdefault(row.group, row.part) != row.part:
            raise DataError(
                f"group '{row.group}' is in {parts[row.group]} and in {row.part}",
                where=str(path),
                expected="every group in one part",
            )
        if root is not None and sha256(root / row.file) != row.sha256:
            raise DataError(
                "its content is not what the split was made of",
                where=str(root / row.file),
                expected=f"SHA-256 {row.sha256}",
                do="Get the data set again, or make the split anew.",
            )
    return split


def write_split(path: Path, root: Path, rows: Iterable[tuple[str, str, str]]) -> Split:
    """Write the split of `(file, group, part)` rows with the files' hashes, and read it back.

    Raises:
        DataError: a file is missing or a group leaks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((*row, sha256(root / row[0])) for row in rows)
    return load_split(path)


def _only(row: dict[str, str]) -> dict[str, str]:
    return {column: row[column] for column in COLUMNS}
