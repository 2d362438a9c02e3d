"""A goal on its way, from finding the server of its action to the result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.task import Future

from xmodal_ros.core.errors import UserError
from xmodal_ros.ros.alarm import Alarm, limit_clock
from xmodal_ros.ros.answers import Unanswered
from xmodal_ros.ros.guard import GuardedClient

LOOK_S = 0.02
"""How often it is looked for the server."""
AGAIN_S = 0.5
"""A goal that is not accepted by then is sent again: a server that has not discovered its client
yet answers into the void."""
GRACE_S = 1.0
"""The server ends a goal at its limit by itself; this much later it must have."""


class Question:
    """Sends a goal once its server is there; `future` has the answer, or what went wrong.

    Args:
        node: Node to ask with.
        client: Client of the action.
        where: Name of the action.
        timeout_s: Longest wait for the server and the answer together.
        goal: Makes the goal for the time that is left, in s.
        read: Makes the answer of the result; raises a `UserError` where it is none.
        feedback: Given what comes before it.
        group: Callback group of what wakes this.
    """

    def __init__(
        self,
        node: Node,
        client: GuardedClient,
        where: str,
        timeout_s: float,
        goal: Callable[[float], Any],
        read: Callable[[Any], Any],
        feedback: Callable[[Any], Any] | None,
        group: CallbackGroup,
    ) -> None:
        self.future = Future()
        self._client, self._where, self._timeout_s = client, where, timeout_s
        self._goal, self._read, self._feedback = goal, read, feedback
        self._node, self._clock = node, limit_clock(node)
        self._begun_ns = self._clock.now().nanoseconds
        self._sent_s = 0.0
        self._handle: Any = None
        self._answered = False
        self._alarm = Alarm(node, timeout_s + GRACE_S, self._give_up, group)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer: Any = node.create_timer(LOOK_S, self._look, group, steady)
        self.future.add_done_callback(self._clean_up)
        self._look()

    @property
    def _over(self) -> bool:
        return bool(self.future.done() or self.future.cancelled())

    def _look(self) -> None:
        """Send the goal when its server is there, and again where nothing accepts it."""
        if self._over or self._handle:
            return
        left_s = self._timeout_s - (self._clock.now().nanoseconds - self._begun_ns) * 1e-9
        if left_s <= 0:
            self._give_up()
        elif time.monotonic() - self._sent_s > AGAIN_S and self._client.server_is_ready():
            self._sent_s = time.monotonic()
            sent = self._client.send_goal_async(self._goal(left_s), self._hear)
            sent.add_done_callback(self._accept)

    def _accept(self, sent: Future) -> None:
        handle = sent.result()
        if self._handle or self._over:
            handle.cancel_goal_async()
            return
        self._handle = handle
        self._stop_looking()
        handle.get_result_async().add_done_callback(self._end)

    def _hear(self, message: Any) -> None:
        ours = self._handle and message.goal_id == self._handle.goal_id  # not of one sent before
        if self._feedback and ours and not self._over:
            self._feedback(message.feedback)

    def _end(self, done: Future) -> None:
        self._answered = True
        if self._over:
            return
        status, result = done.result().status, done.result().result
        if status != GoalStatus.STATUS_SUCCEEDED and not result.error_code:
            self._give_up()  # the node was started anew meanwhile, and knows nothing of the goal
            return
        try:
            answer = self._read(result)
        except UserError as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(answer)

    def _give_up(self) -> None:
        if self._over:
            return
        what, do = "is not there", "Start it: xmodal node"
        if self._sent_s:
            what = "gave no answer"
            do = "See its log; if it runs in simulated time, set use_sim_time of this node, too"
        text = f"{what} within {self._timeout_s:g} s"
        self.future.set_exception(Unanswered(text, where=self._where, do=do))

    def _clean_up(self, _: Future) -> None:
        self._alarm.stop()
        self._stop_looking()
        if self._handle and not self._answered:
            self._handle.cancel_goal_async()

    def _stop_looking(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._node.destroy_timer(self._timer)
        self._timer = None
