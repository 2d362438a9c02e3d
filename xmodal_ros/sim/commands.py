"""The commanded robot: one motion at a time, and what became of the grasp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.motion import CONTROL_S, Motion
from xmodal_ros.sim.outcome import Attempt, Grasp
from xmodal_ros.sim.scene import SceneObject
from xmodal_ros.sim.skills import UP, PolicySettings, Skills

FORCE_N = 10.0
"""Grip of a finger where a command names none."""
FORCES_N = (0.5, 40.0)
EXACT = PolicySettings(aim_error_m=0.0, aim_error_rad=0.0)
"""What a commanded robot aims with unless it is told otherwise."""
RAISE_M = 0.02
"""How far a raise lifts an object: its weight hangs in the grip, and it cannot fall far."""
CLEAR_M = 0.12
"""How far above the place that it aims at the hand is before it moves sideways."""


@dataclass(frozen=True)
class Command:
    """What the arm is to do.

    Raises:
        SettingsError: no such command, or a force that the gripper has not.
    """

    name: str
    object: str = ""
    """Object that reach goes to; empty for the cell's first one."""
    force_n: float = FORCE_N
    """Grip of grasp, per finger."""

    def __post_init__(self) -> None:
        if self.name not in COMMANDS:
            raise SettingsError(
                f"no command '{self.name}'", where="command", expected="one of " + KNOWN
            )
        low, high = FORCES_N
        if not low <= self.force_n <= high:
            raise SettingsError(
                f"got {self.force_n:g}", where="force", expected=f"a value from {low} to {high} N"
            )


class Commands(Skills):
    """Moves a cell's arm as it is told.

    Iterating gives the activity of each control step for ever: "idle" between commands.

    Args:
        cell: The cell.
        rng: Draws the aim's errors; those of the n-th reach are the same whatever came before it.
        aim: How badly it aims.
    """

    def __init__(self, cell: Cell, rng: np.random.Generator, aim: PolicySettings = EXACT) -> None:
        super().__init__(cell, aim, rng)
        self._draws = rng
        self.grasps: list[Grasp] = []
        """Grasps that were lifted and have ended."""
        self.outcome = ""
        """Of the last grasp: held, slipped or missed; empty before one."""
        self.activity = "idle"
        self._aimed = cell.scene.objects[0].name
        self._attempt: Attempt | None = None
        self._lifted = False
        self._motion: Motion | None = None
        self._steps, self._usual_steps = 0, 1

    @property
    def busy(self) -> bool:
        """Whether a command is under way."""
        return self._motion is not None

    @property
    def progress(self) -> float:
        """Time since the command began as a share of what it usually takes, at most 0.99."""
        return min(0.99, self._steps / self._usual_steps)

    def start(self, command: Command) -> None:
        """Begin a command in place of what is under way.

        Raises:
            SettingsError: the cell has no such object.
        """
        kind = COMMANDS[command.name]
        if command.object:
            self._object(command.object)
        self.activity = kind.activity
        self._motion = kind.motion(self, command)
        self._steps, self._usual_steps = 0, round(kind.usual_s / CONTROL_S)

    def stop(self) -> None:
        """End what is under way; the arm stays where it is."""
        self._motion, self.activity = None, "idle"

    def __iter__(self) -> Iterator[str]:
        while True:
            activity = self.activity
            if self._attempt:
                self._attempt.watch()
            if self._motion is not None:
                self._steps += 1
                try:
                    next(self._motion)
                except StopIteration:
                    self.stop()
            yield activity

    def _object(self, name: str) -> SceneObject:
        found = {thing.name: thing for thing in self.cell.scene.objects}
        if name not in found:
            raise SettingsError(
                f"no object '{name}' is in the cell",
                where="object",
                expected="one of " + ", ".join(found),
            )
        return found[name]

    def _reach(self, command: Command) -> Motion:
        self._end_attempt()
        self._aimed = command.object or self.cell.scene.objects[0].name
        self.rng = self._draws.spawn(1)[0]
        place, yaw = self.aim(self._object(self._aimed), error=self.blunder())
        rise = place[2] + CLEAR_M - self.hand.goal_position[2]
        if rise > 0.0:
            yield from self.hand.move(self.hand.goal_position + rise * UP)
        yield from self.approach(place, yaw)

    def _grasp(self, command: Command) -> Motion:
        self._end_attempt()
        yield from self.hand.close(command.force_n)
        yield from self.hand.hold(0.2)
        self._attempt = Attempt(self.cell, self.hand, self._aimed, command.force_n)
        self.outcome = "held" if self.cell.pinched(self._attempt.object) else "missed"

    def _lift(self, command: Command) -> Motion:
        self._lifted = True
        yield from self.hand.move(self.hand.goal_position + 0.14 * UP, speed=0.15)
        yield from self.hand.hold(0.15)
        self._judge()

    def _raise(self, command: Command) -> Motion:
        self._lifted = True
        yield from self.hand.move(self.hand.goal_position + RAISE_M * UP, speed=0.05)
        yield from self.hand.hold(0.1)
        self._judge()

    def _shake(self, command: Command) -> Motion:
        yield from self.shake()
        self._judge()

    def _release(self, command: Command) -> Motion:
        self._end_attempt()
        yield from self.release()

    def _place(self, command: Command) -> Motion:
        name = self._attempt.object if self._attempt else self._aimed
        self._end_attempt()
        yield from self.place(name)

    def _home(self, command: Command) -> Motion:
        yield from self.home()

    def _judge(self) -> None:
        if self._attempt:
            self.outcome = self._attempt.judge().outcome

    def _end_attempt(self) -> None:
        """Before the hand opens or closes anew; what was never lifted tells nothing."""
        if self._attempt and self._lifted:
            self.grasps.append(self._attempt.judge())
            self.outcome = self.grasps[-1].outcome
        self._attempt, self._lifted = None, False


@dataclass(frozen=True)
class _Kind:
    motion: Callable[[Commands, Command], Motion]
    activity: str
    usual_s: float


COMMANDS = {
    "reach": _Kind(Commands._reach, "reach", 2.5),
    "grasp": _Kind(Commands._grasp, "grasp", 1.5),
    "raise": _Kind(Commands._raise, "lift", 0.5),
    "lift": _Kind(Commands._lift, "lift", 1.1),
    "shake": _Kind(Commands._shake, "shake", 2.0),
    "release": _Kind(Commands._release, "place", 0.8),
    "place": _Kind(Commands._place, "place", 3.5),
    "home": _Kind(Commands._home, "reach", 1.0),
}
KNOWN = ", ".join(COMMANDS)
