"""Start-up hook of the environment: Python finds its clone and that clone's built messages.

The set-up copies this file into site-packages, beside a `.pth` that imports it. Several clones may
share one environment: the clone is the one the working directory lies in, else the parent
process's, else the one that was set up last. The messages' shared libraries are found through
LD_LIBRARY_PATH, which counts only at the start of a process: where it changes, Python starts
itself once more.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

STATE = "xmodal"  # folder of the set-up's own files in an environment
CLONE_VARIABLE = "_XMODAL_CLONE"
WHEELS_GUARD = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"  # set by the ROS wheels' own hook when it is done


def record(state: Path, clone: Path) -> Path:
    """The file that names the built messages of `clone`."""
    return state / "clones" / hashlib.sha256(str(clone).encode()).hexdigest()[:16]


def find_clone(state: Path) -> Path | None:
    """The clone of this process, None before any was set up."""
    cwd = Path.cwd()
    for folder in (cwd, *cwd.parents):
        if (folder / "xmodal_msgs" / "package.xml").is_file():
            return folder
    if os.environ.get(CLONE_VARIABLE):
        return Path(os.environ[CLONE_VARIABLE])
    last = state / "last_clone"
    return Path(last.read_text()) if last.is_file() else None


def activate() -> None:
    """Put the clone on the module path and its messages on the module, library and ament paths."""
    prefix = Path(sys.prefix)
    state = prefix / STATE
    clone = find_clone(state)
    if clone is None:
        return
    os.environ[CLONE_VARIABLE] = str(clone)
    sys.path.append(str(clone))
    if not record(state, clone).is_file():
        return
    overlay = state / "msgs" / record(state, clone).read_text()
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for packages in ("site-packages", "dist-packages"):
        sys.path.extend(map(str, overlay.glob(f"**/{python}/{packages}")))
    wheels = (prefix / "share" / "rclpy").is_dir()
    _put_first("AMENT_PREFIX_PATH", [str(overlay), *([str(prefix)] if wheels else [])], state)
    if _put_first("LD_LIBRARY_PATH", [str(overlay / "lib")], state):
        if wheels:
            os.environ.pop(
                WHEELS_GUARD, None
            )  # their hook runs after this one, and starts Python again
        else:
            os.execv(sys.executable, sys.orig_argv)


def _put_first(variable: str, entries: list[str], state: Path) -> bool:
    """Put `entries` first on a path variable, without another clone's; True if one was new."""
    old = [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry]
    other = [e for e in old if e not in entries and not e.startswith(str(state / "msgs"))]
    os.environ[variable] = os.pathsep.join(entries + other)
    return not set(entries) <= set(old)


if sys.prefix != sys.base_prefix:
    activate()
