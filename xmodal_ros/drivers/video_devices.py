"""What V4L2 devices there are, and who holds one: what an error has to say of a device."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

DEVICES = Path("/dev")
NAMES = Path("/sys/class/video4linux")
PROCESSES = Path("/proc")


def present() -> list[str]:
    """Every /dev/video*, with the name that its driver gives where it can be read."""
    found = []
    for device in sorted(DEVICES.glob("video*")):
        try:
            name = (NAMES / device.name / "name").read_text(encoding="utf-8").strip()
        except OSError:
            name = ""
        found.append(f"{device} ({name})" if name else str(device))
    return found


def holders(device: Path) -> list[str]:
    """Processes that have a device open, as "name (process id)", as far as we may see them."""
    target, found = os.path.realpath(device), []
    for process in sorted(PROCESSES.glob("[0-9]*"), key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):  # another user's, or it has ended meanwhile
            if any(_target(entry) == target for entry in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8").strip()
                found.append(f"{name} ({process.name})")
    return found


def _target(entry: Path) -> str:
    """What an open file is, "" where it was closed meanwhile."""
    try:
        return os.readlink(entry)
    except OSError:
        return ""
