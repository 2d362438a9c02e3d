"""Publishers of the simulated cell: sensors, truth, transforms and /clock."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import DEFAULT_STREAMS
from xmodal_ros.data.encode import seconds
from xmodal_ros.ros import qos
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.lock_step import LockStepError, connected
from xmodal_ros.ros.messages import message_class
from xmodal_ros.ros.play import CLOCK_PERIOD_S, PUBLISHER_DEPTH
from xmodal_ros.sim.topics import TOPICS, Message

GLOBAL = ("/tf", "/tf_static", "/clock")
"""Topics that a namespace does not change."""
LATCHED = ("/tf_static", "/labels/")
"""Beginnings of topics whose last message is for whoever comes later, too."""
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


class CellOutputs:
    """Publishes what the cell gives; a topic's publisher is made with its first message.

    Those of the sensors are there from the start.

    Args:
        node: Node to publish with.
        streams: Names of the sensors.
        compressed: Whether images leave as JPEG.
        clock: Whether to publish the time.
    """

    def __init__(
        self, node: Node, streams: Collection[str], *, compressed: bool, clock: bool
    ) -> None:
        self._node = node
        self._publishers: dict[str, Any] = {}
        self._kinds: dict[str, str] = {}
        self._unknown: set[str] = set()
        self._clock = node.create_publisher(Clock, "/clock", 10) if clock else None
        self._clock_ns = 0
        types = {stream.name: stream.message_type for stream in DEFAULT_STREAMS}
        for stream in streams:
            kind, topic = types.get(stream, IMAGE), TOPICS[stream]
            if compressed and kind == IMAGE:
                kind, topic = COMPRESSED, f"{topic}/compressed"
            self._create(topic, kind)

    def publish(self, message: Message, time_ns: int) -> str:
        """Publish a message, and before it the time; return the topic's resolved name."""
        if self._clock and time_ns - self._clock_ns >= CLOCK_PERIOD_S * 1e9:
            self._clock.publish(fill(Clock, {"clock": seconds(time_ns)}))
            self._clock_ns = time_ns
        if message.type in self._unknown:
            return ""
        if message.topic not in self._publishers:
            try:
                self._create(message.topic, message.type)
            except DataError as error:
                self._unknown.add(message.type)
                self._node.get_logger().info(f"{message.topic} is left out: {error}")
                return ""
        publisher = self._publishers[message.topic]
        publisher.publish(fill(message_class(message.type), message.fields))
        return str(publisher.topic_name)

    def wait_for_subscribers(self, heard: Iterable[str], spinner: Any, timeout_s: float) -> None:
        """Wait until the topics that a node in lock-step hears are connected.

        Raises:
            LockStepError: it hears none of ours, or one is not connected in time.
        """
        ours = {p.topic_name: (p, self._kinds[name]) for name, p in self._publishers.items()}
        played = [topic for topic in heard if topic in ours]
        if not played:
            raise LockStepError(
                "the node in lock-step hears none of our topics",
                where="lock-step",
                expected="one of " + ", ".join(ours),
                do="Set its <stream>.topic, or remap them",
            )
        end = time.monotonic() + timeout_s
        for topic in played:
            while not connected(self._node, *ours[topic]):
                if time.monotonic() > end:
                    raise LockStepError(f"is not connected within {timeout_s:g} s", where=topic)
                spinner.spin_once(timeout_sec=CLOCK_PERIOD_S)

    def _create(self, topic: str, kind: str) -> None:
        latched = topic.startswith(LATCHED)
        self._kinds[topic] = kind
        self._publishers[topic] = self._node.create_publisher(
            message_class(kind),
            topic if topic in GLOBAL else topic.lstrip("/"),
            qos.latched() if latched else QoSProfile(depth=PUBLISHER_DEPTH),
            qos_overriding_options=qos.OVERRIDABLE,
        )
