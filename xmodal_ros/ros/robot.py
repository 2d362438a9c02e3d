"""One arm of a robot in one process: its gel cameras and its perception, one executor.

Between nodes of a process, Fast DDS hands images over without its transports. Each gel camera
reads and publishes in threads of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rclpy.lifecycle import LifecycleNode

from xmodal_ros.drivers.robot_file import Arm, choose, load_robot
from xmodal_ros.ros import gel_camera, node, spin
from xmodal_ros.ros.profile import use_profile


def make(arm: Arm) -> list[LifecycleNode]:
    """The nodes of an arm; cameras first, so that perception finds them."""
    cameras: list[LifecycleNode] = [
        gel_camera.make(dataclasses.asdict(settings), name, namespace=arm.namespace)
        for name, settings in arm.gels.items()
    ]
    values = arm.perception.to_mapping()
    return [*cameras, node.make(values, namespace=arm.namespace)]


def run(path: Path, arm: str, args: Sequence[str] | None, *, autostart: bool) -> int:
    """Run an arm until a signal comes; return the process's exit code, as `spin.run`.

    Args:
        path: The robot's file.
        arm: Name of the arm; empty for the only one.
        args: ROS arguments; the process's own if None.
        autostart: Configure and activate the nodes.

    Raises:
        SettingsError: the file is wrong, or has no such arm.
    """
    chosen = choose(load_robot(path), arm)
    use_profile()
    return spin.run(lambda: make(chosen), args, autostart=autostart)
