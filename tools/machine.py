"""Checks that this machine can hold the environment; as root, installs what the system lacks."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 13)
RELEASES = ("jazzy", "kilted")


class SetupError(Exception):
    """Something a person has to do before the set-up can go on."""


@dataclass(frozen=True)
class Ros:
    """Which ROS 2 the environment gets, and whether it is a sourced one."""

    release: str
    sourced: bool

    @property
    def default_folder(self) -> str:
        """Name of the environment's folder where XMODAL_VENV does not set one."""
        if self.sourced:
            return f".venv-sourced-{self.release}"
        return ".venv" if self.release == RELEASES[0] else f".venv-{self.release}"


def choose_ros(environment: Mapping[str, str]) -> Ros:
    """The sourced ROS 2 where there is one, else the wheels of XMODAL_ROS.

    Raises:
        SetupError: unknown release, another one is sourced, or no wheels for this machine.
    """
    wanted, sourced = environment.get("XMODAL_ROS", ""), environment.get("ROS_DISTRO", "")
    if sourced:
        if wanted not in ("", sourced):
            raise SetupError(
                f"XMODAL_ROS={wanted}, but ROS 2 {sourced} is sourced. "
                "Use a shell that sources none."
            )
        return Ros(sourced, sourced=True)
    release = wanted or RELEASES[0]
    if release not in RELEASES:
        raise SetupError(f"XMODAL_ROS={release}; expected one of {', '.join(RELEASES)}.")
    if platform.machine() != "x86_64":
        raise SetupError(
            f"The ROS 2 wheels are for x86_64, this machine is {platform.machine()}. "
            "Install ROS 2 from apt, source its setup.bash and run make again."
        )
    return Ros(release, sourced=False)


def check_python(version: tuple[int, int]) -> None:
    """Refuse a Python that the wheels do not cover.

    Raises:
        SetupError: names the versions that are.
    """
    if not OLDEST <= version <= NEWEST:
        raise SetupError(
            f"python3 is {version[0]}.{version[1]}; expected 3.10 to 3.13. "
            "Name another one: XMODAL_PYTHON=python3.12 make ..."
        )


def install_missing(ros: Ros) -> None:
    """Install the compiler and the parts of Python that are missing, as root; else say how.

    Raises:
        SetupError: with the one line to run.
    """
    missing = _missing_packages(ros)
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(
            "Missing: " + ", ".join(missing) + ". Run\n"
            f"    sudo apt-get update && sudo apt-get install -y {' '.join(missing)}\n"
            "and then make again."
        )
    print(f"installing {', '.join(missing)} with apt-get", file=sys.stderr, flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    for command in (["apt-get", "-q", "update"], install):
        if subprocess.run(command, env=quiet, stdout=sys.stderr, check=False).returncode:
            raise SetupError(f"'{' '.join(command)}' failed; its output is above.")


def _missing_packages(ros: Ros) -> list[str]:
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    missing = []
    if importlib.util.find_spec("ensurepip") is None:
        missing.append(f"{python}-venv")
    if not Path(sysconfig.get_paths()["include"], "Python.h").is_file():
        missing.append(f"{python}-dev")
    if missing and sys.base_prefix != "/usr":
        raise SetupError(
            f"The Python in {sys.base_prefix} has no {' and no '.join(missing)}. "
            "Name another one: XMODAL_PYTHON=/usr/bin/python3 make ..."
        )
    if not shutil.which(os.environ.get("CXX", "c++")):
        missing.append("g++")
    if ros.sourced:
        modules = {"numpy": "python3-numpy", "cv2": "python3-opencv", "yaml": "python3-yaml"}
        missing += [
            package for name, package in modules.items() if importlib.util.find_spec(name) is None
        ]
    return missing
