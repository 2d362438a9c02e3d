"""Ask the node `describe` a question from a shell, and hear the answer as it comes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.signals import SignalHandlerOptions

from xmodal_msgs.action import DescribeScene
from xmodal_ros.core.errors import UserError
from xmodal_ros.data.encode import seconds
from xmodal_ros.ros import spin
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.guard import GuardedClient

GRACE_S = 5.0
"""The node ends an answer at its time limit by itself; this much later it must have."""


class AskError(UserError):
    """The node is not there, or gives no answer."""


def ask(
    question: str,
    target: str,
    timeout_s: float,
    listener: Callable[[str], Any],
    args: Sequence[str] | None = None,
) -> DescribeScene.Result:
    """Ask once; an interruption cancels the question.

    Args:
        question: In any script.
        target: Name of the node.
        timeout_s: Longest wait for the node, and then for the whole answer.
        listener: Given the answer so far, again and again.
        args: ROS arguments; the process's own if None.

    Raises:
        AskError: no such node, or it does not answer.
    """
    # With rclpy's own handlers, the context would be gone before the question can be canceled.
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    # Python's own handler could interrupt rclpy between sending a request and noting it.
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    node, spinner = rclpy.create_node("ask"), spin.executor()
    spinner.add_node(node)
    client = GuardedClient(node, DescribeScene, f"{target}/describe_scene")

    def until(done: Callable[[], bool], limit_s: float, what: str, do: str) -> None:
        end_s = time.monotonic() + limit_s
        while not done():
            if time.monotonic() > end_s:
                raise AskError(f"{what} within {limit_s:g} s", where=target, do=do)
            spinner.spin_once(timeout_sec=0.1)

    try:
        start = "Start it: xmodal describe --set language.path=FOLDER"
        until(
            lambda: client.server_is_ready() or interrupted.is_set(),
            timeout_s,
            "is not there",
            start,
        )
        if interrupted.is_set():
            raise KeyboardInterrupt
        fields = {"question": question, "timeout": seconds(round(timeout_s * 1e9))}
        goal = fill(DescribeScene.Goal, fields)
        sent = client.send_goal_async(goal, lambda told: listener(told.feedback.text))
        until(sent.done, timeout_s, "took no question", "See its log")
        handle = sent.result()
        answer = handle.get_result_async()
        until(
            lambda: answer.done() or interrupted.is_set(),
            timeout_s + GRACE_S,
            "gave no answer",
            "See its log",
        )
        if interrupted.is_set():
            handle.cancel_goal_async()
            until(answer.done, GRACE_S, "gave no answer", "See its log")
        return answer.result().result
    finally:
        client.destroy()
        spinner.shutdown()
        node.destroy_node()
        rclpy.shutdown()
        signal.signal(signal.SIGINT, before)
