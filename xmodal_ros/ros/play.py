"""Publish a recording into the graph, at the recorded pace or in lock-step with a node."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock

from xmodal_ros.core.errors import DataError, UserError
from xmodal_ros.data.encode import seconds
from xmodal_ros.data.recording import Recording
from xmodal_ros.ros import spin
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.lock_step import LockStep, connected
from xmodal_ros.ros.messages import message_class

PUBLISHER_DEPTH = 100
CLOCK_PERIOD_S = 0.01

Listener = Callable[[float, int], None]
"""Called with the recorded time since the start in s, and the number of messages published."""


@dataclass(frozen=True)
class PlayOptions:
    """How a recording is played."""

    rate: float = 1.0
    """Recorded seconds per second."""
    loop: bool = False
    lock_step: bool = False
    """Wait for the node to be done with each message, instead of the recorded time."""
    clock: bool = True
    """Publish the recording's time on /clock."""
    topics: tuple[str, ...] = ()
    """Topics to publish; empty for all whose type is known."""
    start_s: float = 0.0
    duration_s: float = float("inf")
    node: str = "/perception"
    """The node to be in lock-step with."""
    wait_for: tuple[str, ...] = ()
    """Topics that must have a subscriber before it starts."""
    timeout_s: float = 10.0
    """Longest wait for a subscriber, and for an answer of the node."""


class Player:
    """Publishes one recording; rclpy has to be initialized.

    Args:
        recording: What to publish.
        options: How.
        warn: Called with what a user should know, such as a topic whose type is not known.

    Raises:
        DataError: a topic that is asked for is not recorded, or no topic's type is known.
    """

    def __init__(
        self, recording: Recording, options: PlayOptions, warn: Callable[[str], None]
    ) -> None:
        classes = _classes(recording, options.topics, warn)
        self._recording, self._options = recording, options
        self._node = rclpy.create_node("xmodal_play", start_parameter_services=False)
        self._spinner = spin.executor()
        self._spinner.add_node(self._node)
        self._publishers = {
            name: self._node.create_publisher(kind, name, QoSProfile(depth=PUBLISHER_DEPTH))
            for name, kind in classes.items()
        }
        self._clock = self._node.create_publisher(Clock, "/clock", 10) if options.clock else None
        self._count = 0

    def play(self, progress: Listener) -> int:
        """Publish until the end, or for ever with `loop`; return the number of messages.

        Raises:
            DataError: the node in lock-step hears none of the topics.
            LockStepError: it does not answer.
            UserError: a topic of `wait_for` has no subscriber in time.
        """
        self._wait_for_subscribers(self._options.wait_for)
        lock_step, heard = self._lock_step() if self._options.lock_step else (None, Counter[str]())
        while True:
            self._once(progress, lock_step, heard)
            if lock_step:
                lock_step.flush()
            if not self._options.loop:
                break
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=self._options.timeout_s))
        return self._count

    def close(self) -> None:
        """Leave the graph."""
        self._spinner.shutdown()
        self._node.destroy_node()

    def _lock_step(self) -> tuple[LockStep, Counter[str]]:
        options = self._options
        lock_step = LockStep(self._node, self._spinner, options.node, options.timeout_s)
        heard = lock_step.begin()
        played = [topic for topic in heard if topic in self._publishers]
        if not played:
            raise DataError(
                f"{options.node} hears none of its topics",
                where=str(self._recording.path),
                expected="one of " + ", ".join(heard),
                do="Remap the topics, or set the node's <stream>.topic",
            )
        self._wait_for_subscribers(played)
        return lock_step, heard

    def _once(self, progress: Listener, lock_step: LockStep | None, heard: Counter[str]) -> None:
        options = self._options
        begin_ns = self._recording.start_ns + int(options.start_s * 1e9)
        begun_s = time.monotonic()
        for topic, _, log_ns, data in self._recording.raw(list(self._publishers)):
            recorded_s = (log_ns - begin_ns) * 1e-9
            if recorded_s < 0:
                continue
            if recorded_s > options.duration_s:
                break
            if not lock_step:
                self._sleep_until(begun_s + recorded_s / options.rate, log_ns)
            self._tell_time(log_ns)
            self._publishers[topic].publish(bytes(data))
            self._count += 1
            if lock_step and heard[topic]:
                lock_step.wait(topic, heard[topic])
            progress(recorded_s, self._count)

    def _sleep_until(self, due_s: float, log_ns: int) -> None:
        """Sleep until `due_s`, when a message logged at `log_ns` is due, and keep /clock going."""
        while (left_s := due_s - time.monotonic()) > 0:
            self._tell_time(log_ns - int(left_s * self._options.rate * 1e9))
            time.sleep(min(left_s, CLOCK_PERIOD_S))

    def _tell_time(self, time_ns: int) -> None:
        if self._clock:
            self._clock.publish(fill(Clock, {"clock": seconds(time_ns)}))

    def _wait_for_subscribers(self, topics: Iterable[str]) -> None:
        """Wait until all that can hear each of `topics` are connected, and at least one is."""
        end = time.monotonic() + self._options.timeout_s
        for topic in topics:
            if topic not in self._publishers:
                raise DataError(
                    f"does not hold topic {topic} that it should wait for",
                    where=str(self._recording.path),
                    expected="one of " + ", ".join(self._publishers),
                )
            while not self._connected(topic):
                left_s = end - time.monotonic()
                if left_s <= 0:
                    raise UserError(
                        f"nothing subscribes within {self._options.timeout_s:g} s",
                        where=topic,
                        do="Start the node first; `ros2 topic info -v` shows QoS and types",
                    )
                self._tell_time(self._recording.start_ns)
                self._spinner.spin_once(timeout_sec=min(left_s, CLOCK_PERIOD_S))

    def _connected(self, topic: str) -> bool:
        return connected(self._node, self._publishers[topic], self._recording.topics[topic].type)


def _classes(
    recording: Recording, topics: Iterable[str], warn: Callable[[str], None]
) -> dict[str, Any]:
    """Message class of each topic to publish."""
    missing = [topic for topic in topics if topic not in recording.topics]
    if missing:
        raise DataError(
            "no topic " + ", ".join(missing),
            where=str(recording.path),
            expected="some of " + ", ".join(recording.topics),
        )
    classes = {}
    for name in topics or recording.topics:
        try:
            classes[name] = message_class(recording.topics[name].type)
        except DataError as error:  # noqa: PERF203, a handful of topics
            if topics:
                raise
            warn(f"topic {name} is left out: {error}")
    if not classes:
        raise DataError("no topic has a type that is known here", where=str(recording.path))
    return classes
