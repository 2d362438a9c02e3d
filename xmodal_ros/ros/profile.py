"""The Fast DDS settings for publishers of large messages."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""On Jazzy and on Kilted; each ignores the other's."""


def use_profile() -> None:
    """Publish with `config/fastdds.xml` unless the user chose a profile; before `rclpy.init`.

    Raises:
        FileNotFoundError: the package is installed without its configuration.
    """
    if not any(os.environ.get(name) for name in VARIABLES):
        os.environ.update(dict.fromkeys(VARIABLES, str(profile())))


def profile() -> Path:
    """Path of `config/fastdds.xml`, in the source tree or where colcon installed it."""
    roots = [Path(__file__).resolve().parents[2]]
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    roots += [Path(prefix) / "share" / "xmodal_ros" for prefix in prefixes if prefix]
    for root in roots:
        path = root / "config" / "fastdds.xml"
        if path.is_file():
            return path
    raise FileNotFoundError("config/fastdds.xml is in none of " + ", ".join(map(str, roots)))
