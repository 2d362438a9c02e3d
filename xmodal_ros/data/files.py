"""Files of data sets, with errors that name what is missing."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

from xmodal_ros.core.errors import DataError


def require(path: Path) -> Path:
    """Return `path`.

    Raises:
        DataError: nothing is there.
    """
    if not path.exists():
        raise DataError("no such file or folder", where=str(path), do="Check the data set's path.")
    return path


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file with a header row.

    Raises:
        DataError: the file, or one of `columns`, is missing.
    """
    with require(path).open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in columns if name not in (reader.fieldnames or [])]
        if missing:
            raise DataError(
                "no column " + ", ".join(missing),
                where=str(path),
                expected="columns " + ", ".join(columns),
            )
        return list(reader)


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    return hashlib.sha256(require(path).read_bytes()).hexdigest()
