"""Makes a ROS 2 from wheels buildable against, and builds xmodal_msgs with colcon."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

# What the wheels' CMake files still say of the machine that built them.
BUILD_MACHINE_NUMPY = re.compile(r"/opt/python/[^;\"\s)]*?/site-packages/numpy/[^;\"\s)]*?include")
BUILD_MACHINE_PYTHON = re.compile(r"/opt/python/[^;\"\s)]*?/include/python3\.\d+")

# A sourced ROS 2 may have brought colcon: then it has no command in our environment.
COLCON = "import sys; from colcon_core.command import main; sys.exit(main())"


def repair_wheels(venv: Path, python_include: str, numpy_include: str) -> int:
    """Put this machine's paths into the wheels' CMake files; returns how many files changed."""
    changed = 0
    for file in venv.glob("share/*/cmake/*.cmake"):
        old = file.read_text()
        new = BUILD_MACHINE_NUMPY.sub(numpy_include, old)
        new = BUILD_MACHINE_PYTHON.sub(python_include, new)
        if new != old:
            beside = file.with_suffix(".new")  # a file is never half written
            beside.write_text(new)
            os.replace(beside, file)
            changed += 1
    return changed


def messages_key(package: Path, *about: str) -> str:
    """Hash of the message package's text and of what it is built with."""
    digest = hashlib.sha256("\n".join(about).encode())
    for file in sorted(f for f in package.rglob("*") if f.is_file()):
        digest.update(f"\n{file.relative_to(package)}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def build_messages(run: Callable[..., None], package: Path, venv: Path, install: Path) -> None:
    """Build the message package with colcon into `install`.

    Args:
        run: Runs a command in the environment.
        package: Source of the message package.
        venv: Folder of the environment.
        install: Prefix that is made anew.
    """
    build = install.with_name(f"build-{install.name}")
    for folder in (install, build):
        shutil.rmtree(folder, ignore_errors=True)
    run(
        *(str(venv / "bin" / "python"), "-c", COLCON),
        *("--log-base", str(build / "log")),
        "build",
        "--merge-install",
        *("--base-paths", str(package)),
        *("--build-base", str(build)),
        *("--install-base", str(install)),
        *("--event-handlers", "console_direct+"),
        *("--cmake-args", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF"),
        f"-DPython3_EXECUTABLE={venv / 'bin' / 'python'}",
    )
    shutil.rmtree(build)
