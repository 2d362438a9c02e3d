"""Opens the files of a recording: whole ones as rosbags does, others as far as they are whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import Reader
from rosbags.rosbag2.reader import DirectoryReader

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.mcap import CutMcap, Mcap
from xmodal_ros.data.sqlite import CutSqlite3

_CUT: dict[str, Callable[[Path], Any]] = {".mcap": CutMcap, ".db3": CutSqlite3}


class _Folder(DirectoryReader):
    STORAGE_PLUGINS: Mapping[str, Any] = {**DirectoryReader.STORAGE_PLUGINS, "mcap": Mcap}


class _Reader(Reader):
    STORAGE_PLUGINS: Mapping[str, Any] = {**Reader.STORAGE_PLUGINS, "dir": _Folder, ".mcap": Mcap}


def open_storages(path: Path) -> tuple[list[Any], dict[str, str]]:
    """Open a folder or a file.

    Returns:
        Readers with the interface of rosbags', in the order of their time; and by file what of it
        cannot be read.

    Raises:
        DataError: nothing can be read.
    """
    try:
        reader = _Reader(path)
        reader.open()
    except Exception as error:  # whatever rosbags raises on damaged bytes
        return _open_cut(path, error)
    return [reader], {}


def _open_cut(path: Path, reason: Exception) -> tuple[list[Any], dict[str, str]]:
    """Open the files one by one: the folder or a file of it is not whole."""
    files = [p for p in path.iterdir() if p.suffix in _CUT] if path.is_dir() else [path]
    readers: list[Any] = []
    problems: dict[str, str] = {}
    for file in sorted(files):
        for kind in (_Reader, _CUT.get(file.suffix, _Reader)):
            try:
                reader: Any = kind(file)
                reader.open()
            except Exception as error:  # as above
                reason = error
                continue
            readers.append(reader)
            if getattr(reader, "unread", ""):
                problems[file.name] = f"{file.name}: {reader.unread}"
            break
        else:
            problems[file.name] = f"{file.name} ({reason})"
    if not readers:
        raise DataError(
            f"cannot be read ({reason})",
            where=str(path),
            expected="a rosbag2 folder, or an .mcap or .db3 file",
        ) from reason
    return sorted(readers, key=lambda reader: reader.start_time), problems
