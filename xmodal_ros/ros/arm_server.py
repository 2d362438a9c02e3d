"""The action `~/move_arm` of the simulated cell: one goal at a time, refused with the reason."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from xmodal_msgs.action import MoveArm
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.ros.goals import Goals
from xmodal_ros.sim.commands import FORCE_N, Command, Commands

ERRORS = {
    "command": MoveArm.Result.UNKNOWN_COMMAND,
    "object": MoveArm.Result.UNKNOWN_OBJECT,
    "force": MoveArm.Result.BAD_FORCE,
}
"""Code by the field of the goal that is wrong."""


class ArmServer:
    """Moves the arm of a cell.

    A goal is refused in its result, not by rejecting it: a rejection cannot carry a reason.

    Args:
        node: Node to serve with; what it is in has one thread.
        commands: What moves the arm; None while the cell runs its own script.
    """

    def __init__(self, node: Node, commands: Commands | None) -> None:
        self.commands = commands
        self._goal: Any = None
        """Handle of what is under way."""
        self._goals = Goals(node, MoveArm, "~/move_arm", self._accept)

    @property
    def moving(self) -> bool:
        """Whether a goal is under way that has no reason to end."""
        busy = self.commands is not None and self.commands.busy
        return bool(self._goal) and busy and not self._goal.is_cancel_requested

    def update(self) -> None:
        """Tell a goal how far it is; end it when its motion has ended or its client wishes so."""
        if not self._goal:
            return
        goal, commands = self._goal, self.commands
        assert commands
        if goal.is_cancel_requested:
            commands.stop()
            self._end(goal, MoveArm.Result.CANCELED, "canceled: the arm stays where it is")
        elif commands.busy:
            feedback = MoveArm.Feedback(phase=commands.activity, progress=commands.progress)
            goal.publish_feedback(feedback)
        else:
            self._end(goal, MoveArm.Result.OK, f"{goal.request.command}: done")

    def abort(self, code: int, message: str) -> None:
        """Give up the goal that is under way, if there is one."""
        if self._goal:
            self._end(self._goal, code, message)

    def close(self) -> None:
        """Remove the server."""
        self._goals.close()

    def _accept(self, handle: Any) -> None:
        try:
            problem = self._start(handle.request)
        except SettingsError as error:
            problem = ERRORS[error.where], str(error)
        if problem:
            self._end(handle, *problem)
        else:
            self._goal = handle

    def _start(self, goal: MoveArm.Goal) -> tuple[int, str] | None:
        """Begin a motion, or say why not.

        Raises:
            SettingsError: unknown command or object, or a force out of its range.
        """
        command = Command(goal.command, goal.object, goal.force or FORCE_N)
        if self.commands is None:
            script = "the cell runs its own script: set its parameter 'autonomous' to false"
            return MoveArm.Result.BUSY, script
        if self._goal:
            running = self._goal.request.command
            return MoveArm.Result.BUSY, f"{running} is under way: wait for it, or cancel it"
        self.commands.start(command)
        return None

    def _end(self, handle: Any, code: int, message: str) -> None:
        if handle is self._goal:
            self._goal = None
        result = MoveArm.Result(
            success=code == MoveArm.Result.OK,
            outcome=self.commands.outcome if self.commands else "",
            error_code=code,
            message=message,
        )
        self._goals.end(handle, result)
