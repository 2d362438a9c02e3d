"""The node `describe`: questions about what the sensors show, answered by a language model.

It is a node, and on a robot a process, of its own: a language model that takes all of a machine's
time, or memory, must not stop perception. It hears the streams by itself and puts them together as
perception does.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter

from xmodal_ros.core.settings import Settings
from xmodal_ros.core.types import Observation
from xmodal_ros.ros import parameters, spin
from xmodal_ros.ros.describe_server import DescribeServer
from xmodal_ros.ros.latest import Latest
from xmodal_ros.runtime.language.describer import Describer

NAME = "describe"
LOWEST_PRIORITY = 19


class DescribeNode(Node):
    """See the module; settings are parameters as those of perception.

    Args:
        options: Those of `rclpy.node.Node`.

    Raises:
        SettingsError: a parameter was given an unknown name or a bad value.
        BundleError: the describer, its encoders or its language model are incomplete.
        DeviceError: a device or package is missing.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(NAME, automatically_declare_parameters_from_overrides=True, **options)
        settings = parameters.declare(self)
        self._latest: Latest | None = None
        path = settings.language.path
        describer = self._load(settings) if path else None
        self._server = DescribeServer(self, describer, Path(path).name, self._observe)
        text = f"describes with {path}" if path else "no language model: set 'language.path'"
        self.get_logger().info(text)

    def close(self) -> None:
        """Stop the answer under way and leave the graph."""
        self._server.close()
        if self._latest:
            self._latest.close()
        self.destroy_node()

    def _load(self, settings: Settings) -> Describer:
        """Load what answers, and listen to the streams that it reads."""
        inference = dataclasses.replace(settings.inference, threads=settings.language.threads)
        describer = Describer(settings.language, inference)
        describer.warm_up()
        heard = settings.reading(tuple(describer.folder.streams))
        self._latest = Latest(self, *describer.bundle.fit(heard))
        return describer

    def _observe(self) -> Observation:
        assert self._latest
        return self._latest.observation()


def run(values: Mapping[str, Any], others: Mapping[str, Any], args: Sequence[str] | None) -> int:
    """Run the node at the lowest priority until a signal comes; return the exit code.

    Args:
        values: Settings, nested as in a settings file; they win over ROS arguments.
        others: Parameters of any node by name; they win too.
        args: ROS arguments; the process's own if None.
    """
    os.nice(LOWEST_PRIORITY)
    chosen = parameters.overrides(values)
    chosen += [Parameter(name, value=value) for name, value in others.items()]
    return spin.serve(
        lambda: DescribeNode(parameter_overrides=chosen),
        args,
        begin=lambda node: True,
        turn=lambda node, spinner: spinner.spin_once(timeout_sec=0.2),
        end=DescribeNode.close,
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node as an executable of the package."""
    return run({}, {}, args)
