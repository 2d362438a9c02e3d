"""An action server whose goals are ended by whatever else the node does.

Goals do not wait in coroutines: rclpy's `EventsExecutor` polls those without a pause, at the cost
of a core. Their handles wait, and are executed when there is a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import CancelResponse
from rclpy.node import Node

from xmodal_ros.ros.guard import GuardedServer

RESULT_KEPT_S = 10
"""A client asks for the result as soon as its goal is accepted. rclpy's 900 s would put every
goal of a quarter of an hour into each status message."""


class Goals:
    """Accepts every goal: one that is refused is ended with a result, which can carry a reason.

    Args:
        node: Node to serve with; its executor has one thread.
        kind: Class of the action; its results have an `error_code`, 0 where all is well.
        name: Of the action.
        accept: Told of a goal, which it may end at once.
        cancel: Told that a client wishes a goal to end. The goal can only be ended as canceled
            once this has returned.
    """

    def __init__(
        self,
        node: Node,
        kind: Any,
        name: str,
        accept: Callable[[Any], object],
        cancel: Callable[[Any], object] = lambda handle: None,
    ) -> None:
        self._results: dict[bytes, Any] = {}

        def canceling(handle: Any) -> CancelResponse:
            cancel(handle)
            return CancelResponse.ACCEPT

        self._server = GuardedServer(
            node,
            kind,
            name,
            execute_callback=self._hand_over,
            handle_accepted_callback=accept,
            cancel_callback=canceling,
            result_timeout=RESULT_KEPT_S,
        )

    def end(self, handle: Any, result: Any) -> None:
        """Give a goal its result; it is succeeded, canceled or, with an error, aborted."""
        self._results[bytes(handle.goal_id.uuid)] = result
        handle.execute()

    def close(self) -> None:
        """Remove the server; goals under way are not answered any more."""
        self._server.destroy()

    def _hand_over(self, handle: Any) -> Any:
        """What rclpy executes once a goal has its result."""
        result = self._results.pop(bytes(handle.goal_id.uuid))
        if not result.error_code:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result
