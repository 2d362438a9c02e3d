"""Refuses an environment that its disk has no room for before pip works for minutes."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable
from pathlib import Path

from machine import SetupError

SIZE_MB = {
    "ros": 600,
    "runtime": 6600,
    "language": 150,
    "sim": 200,
    "datasets": 20,
    "train": 400,
    "test": 130,
    "bench": 100,
}
"""What each step adds to the environment, as `du` counts it, on x86-64, where torch comes with its
CUDA libraries. On other machines torch is another, so nothing is checked there."""
MEGABYTE = 1_000_000


def check_room(venv: Path, steps: Iterable[str]) -> None:
    """Refuse to begin what cannot end. What pip needs while it works depends on its sources.

    Args:
        venv: Folder of the environment; what it holds already is needed no more.
        steps: Names of all steps that it is made of, done or not.

    Raises:
        SetupError: names the disk, what it needs and what it has.
    """
    if platform.machine() != "x86_64":
        return
    need = sum(SIZE_MB.get(step, 0) for step in steps) * MEGABYTE - _held(venv)
    there = next(folder for folder in (venv, *venv.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if need > free:
        raise SetupError(
            f"{venv} has no room: expected {need / 1e9:.1f} GB free on its disk, and about as "
            f"much again while pip works; it has {free / 1e9:.1f} GB.\n"
            "Make room, or name a folder on another disk with XMODAL_VENV=DIR."
        )


def _held(folder: Path) -> int:
    """Bytes on the disk in a folder; 0 where there is none."""
    return sum(
        os.lstat(os.path.join(where, name)).st_blocks * 512
        for where, _, names in os.walk(folder)
        for name in names
    )
