"""Sensors as a process of their own: `python -m bench.sensors SCENE`, a scene as JSON.

Waits until every topic has its subscribers, publishes with our Fast DDS profile, says the end on
`/bench/done`, and prints how many messages of each topic it published, and how long after the
stamp it handed them over: messages of one stamp are published one after another.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image, Imu, PointCloud2, PointField
from std_msgs.msg import Empty

from xmodal_ros.ros.profile import use_profile

DONE = "/bench/done"
TYPES = {"tactile": Image, "camera": Image, "imu": Imu, "lidar": PointCloud2}
SIZES = {"tactile": (240, 320), "camera": (480, 640)}
POINTS = 60_000
PUBLISHER_DEPTH = 100  # as `xmodal play`
GREATEST_WAIT_S, SETTLE_S, DRAIN_S = 90.0, 1.0, 1.0


@dataclass(frozen=True)
class Scene:
    """What to publish; messages that are due at the same time carry the same stamp."""

    sensors: dict[str, tuple[str, float]]
    """Modality and rate in Hz by topic, in the order of publishing."""
    seconds: float
    subscribers: int = 1
    """To wait for, per topic."""

    def to_json(self) -> str:
        """For a process's argument."""
        return json.dumps(asdict(self))


def message(modality: str) -> Any:
    """A message of a sensor, with random content."""
    rng = np.random.default_rng(0)
    if modality in SIZES:
        height, width = SIZES[modality]
        made = Image(height=height, width=width, encoding="rgb8", step=3 * width)
        made.data.frombytes(rng.integers(60, 180, 3 * height * width).astype(np.uint8).tobytes())
        return made
    if modality == "imu":
        return Imu()
    fields = [
        PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, n in enumerate(("x", "y", "z", "intensity"))
    ]
    cloud = PointCloud2(height=1, width=POINTS, point_step=16, row_step=16 * POINTS, fields=fields)
    cloud.data.frombytes(rng.random(4 * POINTS, np.float32).tobytes())
    return cloud


def publish(node: Node, scene: Scene) -> dict[str, list[float]]:
    """Publish at the sensors' rates; return by topic each message's time since its stamp in s."""
    kinds = {topic: modality for topic, (modality, _) in scene.sensors.items()}
    publishers = {t: node.create_publisher(TYPES[k], t, PUBLISHER_DEPTH) for t, k in kinds.items()}
    done = node.create_publisher(Empty, DONE, 1)
    messages = {topic: message(modality) for topic, modality in kinds.items()}
    latest = time.monotonic() + GREATEST_WAIT_S
    while any(p.get_subscription_count() < scene.subscribers for p in publishers.values()):
        if time.monotonic() > latest:
            raise TimeoutError("no subscribers")
        time.sleep(0.05)
    time.sleep(SETTLE_S)  # a subscriber may know of the publisher later than this one of it
    due_s = [
        (k / rate_hz, topic)
        for topic, (_, rate_hz) in scene.sensors.items()
        for k in range(int(scene.seconds * rate_hz))
    ]
    held_s: dict[str, list[float]] = {topic: [] for topic in kinds}
    begun, last_s = time.monotonic(), -1.0
    for offset_s, topic in sorted(due_s, key=lambda due: due[0]):
        if offset_s > last_s:
            time.sleep(max(begun + offset_s - time.monotonic(), 0))
            stamp, stamped, last_s = node.get_clock().now().to_msg(), time.monotonic(), offset_s
        messages[topic].header.stamp = stamp
        held_s[topic].append(time.monotonic() - stamped)
        publishers[topic].publish(messages[topic])
    time.sleep(DRAIN_S)
    done.publish(Empty())
    time.sleep(DRAIN_S)
    return held_s


def main() -> None:
    """Publish once."""
    use_profile()
    rclpy.init()
    node = rclpy.create_node("bench_sensors")
    held_s = publish(node, Scene(**json.loads(sys.argv[1])))
    counts = {topic: len(times) for topic, times in held_s.items()}
    held_ms = {topic: 1e3 * statistics.median(times) for topic, times in held_s.items()}
    print(json.dumps({"counts": counts, "held_ms": held_ms}))
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
