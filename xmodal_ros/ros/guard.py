"""What a task raises goes to the log.

rclpy's `EventsExecutor` ends the process without a word where a task raises (rclpy issue 1641):
tasks are the work of actions, what rclpy calls when a response has come, and `create_task`.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient, ActionServer
from rclpy.logging import get_logger


def guarded(kind: type) -> type:
    """The class of an executor, with tasks that may raise; what they raise is None's result."""

    class Guarded(kind):
        def create_task(self, call: Any, *args: Any, **kwargs: Any) -> Any:
            return super().create_task(_tell(call, *args, **kwargs))

    return Guarded


class GuardedServer(ActionServer):
    """An action server whose callbacks may raise."""

    async def execute(self, taken_data: Any) -> None:
        """Do what rclpy has taken."""
        await _tell(super().execute, taken_data)


class GuardedClient(ActionClient):
    """An action client whose callbacks may raise."""

    async def execute(self, taken_data: Any) -> None:
        """Do what rclpy has taken."""
        await _tell(super().execute, taken_data)


async def _tell(call: Callable[..., Any] | Any, *args: Any, **kwargs: Any) -> Any:
    try:
        result = call(*args, **kwargs) if callable(call) else call
        return await result if inspect.isawaitable(result) else result
    except Exception:
        get_logger("xmodal").error(traceback.format_exc())
        return None
