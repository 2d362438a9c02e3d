"""Data sets that are being made: what was asked for, and the episodes that are done already.

Until a data set is complete, its folder holds `unfinished/` with the request and the episodes that
are being written. What is done stands beside it, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.visual_tactile.recordings import UNFINISHED

REQUEST, LOCK = "request.json", "lock"


@contextlib.contextmanager
def begun(out: Path, request: Mapping[str, Any]) -> Iterator[Path]:
    """Make the folder of a data set, or go on with the one that is there; one process at a time.

    Args:
        out: The folder.
        request: All that the data set's content depends on, as JSON.

    Yields:
        Folder for what is being written.

    Raises:
        DataError: something else is in `out`, or another process is writing it.
    """
    folder = out / UNFINISHED
    if out.exists() and not folder.is_dir():
        raise DataError("exists already", where=str(out), do="Name another, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                "another process is making this data set",
                where=str(out),
                do="Wait for it, end it, or name another folder",
            ) from None
        _ask_for(folder, json.dumps(request, indent=1, sort_keys=True))
        yield folder


def _ask_for(folder: Path, text: str) -> None:
    """Note what is asked for, where nothing else was."""
    asked, out = folder / REQUEST, folder.parent
    same = asked.is_file() and asked.read_text(encoding="utf-8") == text
    if not same and any(path != folder for path in out.iterdir()):
        raise DataError(
            "an unfinished data set is there that was asked for otherwise",
            where=str(out),
            expected=f"what {asked} says",
            do="Repeat that command to finish it, name another folder, or remove it",
        )
    asked.write_text(text, encoding="utf-8")


def keep(folder: Path, name: str) -> None:
    """Put an episode that is written into the data set."""
    os.replace(folder / name, folder.parent / name)


def facts_of(out: Path, name: str) -> dict[str, Any] | None:
    """What an episode's recording says is in it, None where it is still to be made."""
    left = out / UNFINISHED / name
    if left.exists():  # cut off while it was written
        shutil.rmtree(left)
    if not (out / name).exists():
        return None
    with Recording(out / name) as recording:
        facts: dict[str, Any] = json.loads(recording.metadata["facts"])
    return facts


def finish(out: Path) -> None:
    """Tell that a data set is complete."""
    shutil.rmtree(out / UNFINISHED)
