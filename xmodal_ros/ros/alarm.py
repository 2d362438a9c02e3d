"""A call after some time, for limits that a client has set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node


class Alarm:
    """Calls once, after a time that is simulated where the node has `use_sim_time` and a clock.

    Real time is that of a steady clock, so that a limit holds when the system's clock is set.
    Simulated time is the robot's: a simulation that takes ten times as long as the world gets ten
    times as long to answer, or what it does would depend on the machine. While it stands still,
    so does the limit; where it is set back, the limit begins anew.

    Args:
        node: Node whose executor calls.
        after_s: From now on, s.
        call: What to call.
        group: Callback group; the node's own if None.
    """

    def __init__(
        self,
        node: Node,
        after_s: float,
        call: Callable[[], Any],
        group: CallbackGroup | None = None,
    ) -> None:
        self._node, self._call = node, call
        self._timer: Any = node.create_timer(after_s, self._ring, group, limit_clock(node))

    def stop(self) -> None:
        """Do not call any more."""
        if self._timer:
            self._timer.cancel()
            self._node.destroy_timer(self._timer)
        self._timer = None

    def _ring(self) -> None:
        if self._timer:
            self.stop()
            self._call()


def limit_clock(node: Node) -> Clock:
    """The clock by which limits go: simulated time once it runs, else a steady one."""
    clock = node.get_clock()
    simulated = clock.ros_time_is_active and clock.now().nanoseconds
    return clock if simulated else Clock(clock_type=ClockType.STEADY_TIME)
