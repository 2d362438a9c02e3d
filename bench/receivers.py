"""A subscriber of the four sensors as a process of its own: `python -m bench.receivers bare|ours`.

`bare` is a single-threaded rclpy node whose callbacks only count; `ours` decodes and synchronizes,
in the node's executor. Prints CPU seconds from the first message to the last, and what came.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Empty

from bench.sensors import DONE, TYPES
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.windows import Clip, Resampled, Window
from xmodal_ros.data.ingest import Ingest
from xmodal_ros.ros import qos, spin

TOPIC = "/bench/{}"
SETTINGS = Settings.from_mapping(
    {"streams": {name: {"modality": name, "topic": TOPIC.format(name)} for name in TYPES}}
)
WINDOWS: dict[str, Window] = {"tactile": Clip(12, 0.16), "imu": Resampled(128, 50.0)}
GIVE_UP_S = 60.0


class Receiver:
    """Counts messages and CPU time; `take` is what is done with each."""

    def __init__(self, node: Any, take: Callable[[str, Any], object]) -> None:
        self.counts: Counter[str] = Counter()
        self.begun = self.ended = 0.0
        self.done = False
        for stream in SETTINGS.streams:
            node.create_subscription(
                TYPES[stream.name],
                stream.topic,
                self._callback(stream.name, take),
                qos.subscription(stream),
            )
        node.create_subscription(Empty, DONE, self._finish, 1)

    def _callback(self, name: str, take: Callable[[str, Any], object]) -> Callable[[Any], None]:
        def receive(message: Any) -> None:
            if not self.counts:
                self.begun = time.process_time()
            self.counts[name] += 1
            take(name, message)
            self.ended = time.process_time()

        return receive

    def _finish(self, _: Empty) -> None:
        self.done = True


def main() -> None:
    """Receive until the sensors say that they are done."""
    rclpy.init()
    node = rclpy.create_node(f"bench_{sys.argv[1]}")
    executor: Any = spin.executor() if sys.argv[1] == "ours" else SingleThreadedExecutor()
    ingest = Ingest(SETTINGS, WINDOWS)

    def synchronize(name: str, message: Any) -> None:
        ingest.message(name, message, node.get_clock().now().nanoseconds)

    def ignore(name: str, message: Any) -> None:
        """Only receive."""

    receiver = Receiver(node, synchronize if sys.argv[1] == "ours" else ignore)
    executor.add_node(node)
    latest = time.monotonic() + GIVE_UP_S
    while not receiver.done and time.monotonic() < latest:
        executor.spin_once(timeout_sec=0.2)
    cpu_s = receiver.ended - receiver.begun
    sets = ingest.health.formed
    print(json.dumps({"cpu_s": cpu_s, "sets": sets, "counts": receiver.counts}))
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
