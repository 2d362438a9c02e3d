"""The action `~/move_arm` of the simulated cell: one goal at a time, refused with the reason."""

from __future__ import annotations

from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.node import Node
from rclpy.task import Future

from xmodal_msgs.action import MoveArm
from xmodal_ros.core.errors import SettingsError
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
        self._goal: tuple[Any, Future] | None = None
        self._server = ActionServer(
            node,
            MoveArm,
            "~/move_arm",
            execute_callback=self._execute,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    @property
    def moving(self) -> bool:
        """Whether a goal is under way that has no reason to end."""
        handle = self._goal[0] if self._goal else None
        busy = self.commands is not None and self.commands.busy
        return handle is not None and busy and not handle.is_cancel_requested

    def update(self) -> None:
        """Tell a goal how far it is; end it when its motion has ended or its client wishes so."""
        if not self._goal:
            return
        handle, commands = self._goal[0], self.commands
        assert commands
        if handle.is_cancel_requested:
            commands.stop()
            handle.canceled()
            self._end(MoveArm.Result.CANCELED, "canceled: the arm stays where it is")
        elif commands.busy:
            feedback = MoveArm.Feedback(phase=commands.activity, progress=commands.progress)
            handle.publish_feedback(feedback)
        else:
            handle.succeed()
            self._end(MoveArm.Result.OK, f"{handle.request.command}: done")

    def abort(self, code: int, message: str) -> None:
        """Give up the goal that is under way, if there is one."""
        if self._goal:
            self._goal[0].abort()
            self._end(code, message)

    def close(self) -> None:
        """Remove the server."""
        self._server.destroy()

    async def _execute(self, handle: Any) -> MoveArm.Result:
        try:
            problem = self._start(handle.request)
        except SettingsError as error:
            problem = ERRORS[error.where], str(error)
        if problem:
            handle.abort()
            return MoveArm.Result(error_code=problem[0], message=problem[1])
        self._goal = handle, Future()
        return await self._goal[1]

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
            running = self._goal[0].request.command
            return MoveArm.Result.BUSY, f"{running} is under way: wait for it, or cancel it"
        self.commands.start(command)
        return None

    def _end(self, code: int, message: str) -> None:
        assert self._goal
        _, done = self._goal
        self._goal = None
        done.set_result(
            MoveArm.Result(
                success=code == MoveArm.Result.OK,
                outcome=self.commands.outcome if self.commands else "",
                error_code=code,
                message=message,
            )
        )
