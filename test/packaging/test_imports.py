"""What importing a package loads: a robot pays for what it uses, and notebooks need no ROS."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import importlib, json, pkgutil, sys
import xmodal_ros
for name in {packages!r}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), name + "."):
        importlib.import_module(module.name)
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""
MESSAGES = {"rclpy", "sensor_msgs", "std_msgs", "diagnostic_msgs", "lifecycle_msgs", "xmodal_msgs"}


def _loaded(*packages: str, cwd: Path) -> set[str]:
    """Top-level modules in a fresh interpreter after importing every module of `packages`."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(packages=packages)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_core_loads_no_framework(repository: Path) -> None:
    loaded = _loaded("xmodal_ros.core", cwd=repository)
    assert "numpy" in loaded
    assert not loaded & {"torch", "cv2", "yaml", "rosbags", *MESSAGES}


@pytest.mark.parametrize("package", ["nn", "data", "runtime", "sim", "train", "eval"])
def test_packages_below_ros_load_no_ros(repository: Path, package: str) -> None:
    loaded = _loaded(f"xmodal_ros.{package}", cwd=repository)
    assert not loaded & MESSAGES


def test_data_loads_no_torch(repository: Path) -> None:
    loaded = _loaded("xmodal_ros.data", cwd=repository)
    assert not loaded & {"torch", "timm", "lightning"}


def test_the_command_line_loads_nothing_heavy(repository: Path) -> None:
    loaded = _loaded("xmodal_ros.cli", cwd=repository)
    assert not loaded & {"torch", "cv2", "rosbags", "plotly", "sklearn", *MESSAGES}
