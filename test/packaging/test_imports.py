"""What importing a package loads: a robot pays for what it uses, and notebooks need no ROS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
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
PACKAGES = ("core", "data", "sim", "drivers", "nn", "runtime", "eval", "search", "train")
"""In an order in which none loads what is forbidden to a later one."""
ROS = {"rclpy", "sensor_msgs", "std_msgs", "diagnostic_msgs", "lifecycle_msgs", "xmodal_msgs"}
NETWORKS = {"torch", "timm", "lightning"}


def _loaded(packages: Sequence[str], cwd: Path) -> list[set[str]]:
    """Top-level modules that are loaded after importing all of each package, one after another."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(packages=packages)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [set(json.loads(line)) for line in done.stdout.splitlines()[-len(packages) :]]


@pytest.fixture(scope="module")
def loaded(repository: Path) -> Mapping[str, set[str]]:
    """By package, what it and those before it load."""
    found = _loaded([f"xmodal_ros.{name}" for name in PACKAGES], repository)
    return dict(zip(PACKAGES, found, strict=True))


def test_core_loads_no_framework(loaded) -> None:
    assert "numpy" in loaded["core"]
    assert not loaded["core"] & {"cv2", "yaml", "rosbags", "scipy", *NETWORKS, *ROS}


def test_neither_data_nor_simulation_load_networks(loaded) -> None:
    assert "rosbags" in loaded["data"]
    assert "mujoco" in loaded["sim"]
    assert not loaded["sim"] & NETWORKS


def test_drivers_load_no_networks(loaded) -> None:
    assert not loaded["drivers"] & NETWORKS


def test_reading_data_needs_nothing_of_the_demonstration(loaded) -> None:
    assert not loaded["data"] & {"taxim", "pypcd4"}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_below_ros_load_no_ros(loaded, package: str) -> None:
    assert not loaded[package] & ROS


def test_the_command_line_loads_nothing_heavy(repository: Path) -> None:
    (found,) = _loaded(["xmodal_ros.cli"], repository)
    assert not found & {"cv2", "rosbags", "plotly", "sklearn", *NETWORKS, *ROS}
