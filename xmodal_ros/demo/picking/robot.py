"""A simulated robot for picking: its cell and perception node as processes, and a node beside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
import yaml
from py_trees.behaviour import Behaviour
from py_trees.common import Status
from rclpy.parameter import Parameter
from rclpy.task import Future
from std_srvs.srv import Trigger

from xmodal_ros.core.errors import UserError
from xmodal_ros.demo.picking.hand import Hand, ObjectsChanged
from xmodal_ros.demo.processes import Children
from xmodal_ros.ros import spin
from xmodal_ros.ros.simulated_cell import NAME as CELL
from xmodal_ros.sim.settings import sim_settings
from xmodal_ros.sim.topics import stream_settings

PERCEPTION = "perception"
START_S = 300.0
"""Longest wait for the processes, on a busy machine."""
SILENCE_S = 120.0
"""Longest time that a pick or a change of objects may take."""
WAIT_S = 0.05
AGAIN_S = 5.0
FASTEST = 10.0
"""Simulated seconds per second without perception: more, and what the tree says comes late."""
STREAMS = ("camera_wrist", "tactile_left", "tactile_right")
"""What tells of a grasp; with the IMU there were five times as many messages to wait for."""
HEARD = ("camera", "tactile_left", "tactile_right")
"""Their names in the perception node."""
SENSORS: dict[str, dict[str, Any]] = {
    "camera_wrist": {"width": 160, "height": 160},
    "gel": {"width": 160, "height": 120},
    "camera": {"width": 320, "height": 240},
    "camera_wrist_clock": {"rate_hz": 5.0},
    "tactile_left_clock": {"rate_hz": 6.25},
    "tactile_right_clock": {"rate_hz": 6.25},
    "imu_clock": {"rate_hz": 100.0},
    "camera_clock": {"rate_hz": 5.0},
    "topics": {"jpeg_quality": 95},
}
"""The images are those of the data that the bundle has learned; rates are low, for speed."""
SETTINGS = "perception.yaml"


class RobotError(UserError):
    """A process ended, or says nothing any more."""


@contextmanager
def robot(folder: Path, seed: int, bundle: str | None, *, film: bool = False) -> Iterator[Robot]:
    """Start a robot with sensors of its own, and end it.

    With perception, cell and node run in lock-step, as fast as the machine can; without, only the
    motion is simulated.

    Args:
        folder: For the settings, and what the processes write.
        seed: Of the cell.
        bundle: Folder of the model bundle, empty for the installed one; None without perception.
        film: Whether there is a camera that looks on.

    Raises:
        RobotError: a process ended, or did not get ready.
    """
    with Children(folder / "logs", {}) as children:
        streams = STREAMS if bundle is not None else ("imu",)
        _start_cell(children, seed, (*streams, "camera") if film else streams, bundle is not None)
        if bundle is not None:
            _start_perception(children, folder, bundle)
        made = Robot(children)
        try:
            made.wait_until_ready()
            yield made
        finally:
            made.close()


class Robot:
    """Ticks trees, and has the objects changed.

    Args:
        children: The processes.
    """

    def __init__(self, children: Children) -> None:
        self._children = children
        self._changes = 0
        simulated = Parameter("use_sim_time", value=True)
        self.node = rclpy.create_node("picking", parameter_overrides=[simulated])
        self._spinner = spin.executor()
        self._spinner.add_node(self.node)
        self.hand = Hand(self.node, CELL, PERCEPTION)
        self._reset = self.node.create_client(Trigger, f"{CELL}/reset")

    def close(self) -> None:
        """Leave the graph."""
        self.hand.close()
        self._spinner.shutdown()
        self.node.destroy_node()

    def wait_until_ready(self) -> None:
        """Wait until simulated time passes, and the arm does what it is told.

        Raises:
            RobotError: it does not.
        """
        self._until(
            lambda: self.hand.now_s > 0 and self.hand.ready and self._reset.service_is_ready(),
            START_S,
        )
        homes: list[Future] = []
        asked_s = float("-inf")

        def moved() -> bool:
            # Who has not discovered us yet answers into the void; to go home twice is no harm.
            nonlocal asked_s
            heard = [k for k, home in enumerate(homes) if home.done() and not home.exception()]
            if heard:
                return all(home.done() for home in homes[heard[0] :])
            if time.monotonic() > asked_s + AGAIN_S:
                asked_s = time.monotonic()
                homes.append(self.hand.move("home", 0.0))
            return False

        self._until(moved, START_S)

    def change_to(self, number: int) -> str:
        """Have the cell's objects changed until it is the n-th change; say what is there then.

        Raises:
            RobotError: nothing comes of it.
        """
        said = ""
        while self._changes < number:
            answer = self._reset.call_async(Trigger.Request())
            self._until(answer.done, SILENCE_S)
            self._changes += 1
            said = answer.result().message
        return said

    def run(self, tree: Behaviour) -> Status:
        """Tick a tree until it has ended.

        Raises:
            ObjectsChanged: the simulation diverged.
            UserError: something that a behaviour asked for could not be done.
        """

        def ended() -> bool:
            tree.tick_once()
            return tree.status != Status.RUNNING

        try:
            self._until(ended, SILENCE_S)
        except ObjectsChanged:
            self._changes += 1
            raise
        return tree.status

    def _until(self, done: Callable[[], bool], limit_s: float) -> None:
        end_s = time.monotonic() + limit_s
        while not done():
            self._spinner.spin_once(timeout_sec=WAIT_S)
            for name in self._children.names:
                if self._children.exit_code(name) is not None:
                    raise RobotError("has ended", where=name, do=self._children.tail(name))
            if time.monotonic() > end_s:
                logs = ", ".join(str(self._children.log(name)) for name in self._children.names)
                raise RobotError(
                    f"nothing came of it within {limit_s:g} s", where=CELL, do=f"See {logs}"
                )


def _start_cell(children: Children, seed: int, streams: tuple[str, ...], lock_step: bool) -> None:
    values = {f"{group}.{name}": v for group, row in SENSORS.items() for name, v in row.items()}
    values |= {"aim_errors": True, "streams": ",".join(streams), "rate": FASTEST}
    given = [part for name, v in values.items() for part in ("--set", f"{name}={v}")]
    mode = ["--lock-step"] if lock_step else []
    children.start(CELL, "cell", "--commanded", "--clock", *mode, "--seed", str(seed), *given)


def _start_perception(children: Children, folder: Path, bundle: str) -> None:
    cell = sim_settings(SENSORS)
    rates_hz = {name: clock.rate_hz for name, clock in cell.episode.clocks.items()}
    settings = stream_settings(cell.topics, "camera_wrist", rates_hz)
    settings["streams"] = {name: settings["streams"][name] for name in HEARD}
    settings["inference"] = {"bundle": bundle}
    settings["output"] = {"lock_step": True}
    (folder / SETTINGS).write_text(yaml.safe_dump(settings), encoding="utf-8")
    given = ["--settings", str(folder / SETTINGS), "--ros-args", "-p", "use_sim_time:=true"]
    children.start(PERCEPTION, "node", *given)
