"""The player's side of lock-step: wait for a node to be done with each message."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy
from std_srvs.srv import Trigger

from xmodal_msgs.msg import StreamAck
from xmodal_ros.core.errors import UserError
from xmodal_ros.ros.session import ACK_DEPTH

RETRY_S = 1.0


class LockStepError(UserError):
    """A node does not answer as one in lock-step does."""


class LockStep:
    """Waits for the acknowledgements of one node.

    Args:
        node: Node to subscribe with.
        spinner: Executor that `node` is in.
        target: Fully qualified name of the node to wait for.
        timeout_s: Longest wait for anything.
    """

    def __init__(self, node: Node, spinner: Any, target: str, timeout_s: float) -> None:
        self._spinner, self._target, self._timeout_s = spinner, target, timeout_s
        self._acknowledged: Counter[str] = Counter()
        self._client = node.create_client(Trigger, f"{target}/flush")
        self._subscription = node.create_subscription(
            StreamAck, f"{target}/ack", self._on_ack, ACK_DEPTH
        )
        self._node = node

    @property
    def ready(self) -> bool:
        """Whether the node's side of it is there."""
        return self._client.service_is_ready() and self._listened_to()

    def begin(self) -> Counter[str]:
        """Make the node start anew; return how many acknowledgements a topic's messages get.

        Raises:
            LockStepError: the node is not there, not active, or not in lock-step.
        """
        topics = self.flush()
        self._until(
            self._listened_to,
            f"{self._target} does not publish {self._subscription.topic_name}",
        )
        return topics

    def flush(self) -> Counter[str]:
        """Make the node predict what still waits and start anew; return as `begin`."""
        if not self._client.wait_for_service(self._timeout_s):
            raise LockStepError(
                f"no service within {self._timeout_s:g} s",
                where=f"{self._target}/flush",
                expected="an active node with parameter output.lock_step set",
                do="Start it first, or name it with --node",
            )
        answers: list[Trigger.Response] = []
        asked_s = float("-inf")

        def answered() -> bool:
            # A service that has not discovered its client answers into the void; ask again.
            nonlocal asked_s
            if time.monotonic() > asked_s + RETRY_S:
                asked_s = time.monotonic()
                call = self._client.call_async(Trigger.Request())
                call.add_done_callback(lambda future: answers.append(future.result()))
            return bool(answers)

        self._until(answered, f"{self._target}/flush gives no answer")
        self._acknowledged.clear()
        return Counter(answers[0].message.split(","))

    def wait(self, topic: str, count: int) -> None:
        """Wait until the node has acknowledged `count` messages of `topic` since the last call.

        Raises:
            LockStepError: it has not within the timeout, or has gone.
        """
        self._until(
            lambda: self._acknowledged[topic] >= count or not self._listened_to(),
            f"{self._target} did not acknowledge a message of {topic}",
        )
        if self._acknowledged[topic] < count:
            raise LockStepError(f"{self._target} has gone", where="lock-step")
        self._acknowledged[topic] -= count

    def _listened_to(self) -> bool:
        return self._node.count_publishers(self._subscription.topic_name) > 0

    def _on_ack(self, ack: StreamAck) -> None:
        self._acknowledged[ack.topic] += 1

    def _until(self, done: Any, problem: str) -> None:
        end = time.monotonic() + self._timeout_s
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                raise LockStepError(
                    f"{problem} within {self._timeout_s:g} s",
                    where="lock-step",
                    do="See the log and /diagnostics of the node",
                )
            self._spinner.spin_once(timeout_sec=min(left, RETRY_S))


def connected(node: Node, publisher: Publisher, kind: str) -> bool:
    """Whether all subscribers in the graph that can hear a publisher are matched, at least one.

    Args:
        node: Node that the publisher is of.
        publisher: A volatile one.
        kind: Name of its message type.
    """
    fitting = [
        s
        for s in node.get_subscriptions_info_by_topic(publisher.topic_name)
        if s.topic_type == kind and s.qos_profile.durability == DurabilityPolicy.VOLATILE
    ]
    return 0 < len(fitting) <= publisher.get_subscription_count()
