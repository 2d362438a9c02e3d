"""Notes when answers come, as a process: `python -m bench.observer TOPIC TYPE`.

Prints, when the sensors are done, for every answer its stamp, its arrival, and, where it says so,
the time of the model, all in seconds.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Empty

from bench.sensors import DONE

GIVE_UP_S = 170.0


def main() -> None:
    """Listen until the sensors are done."""
    topic, kind = sys.argv[1:]
    package, _, name = kind.split("/")
    rclpy.init()
    node = rclpy.create_node("bench_observer")
    answers: list[tuple[float, float, float]] = []
    done: list[Empty] = []

    def note(message: Any) -> None:
        arrival_s = time.time()
        header = getattr(message, "header", message)
        info = getattr(message, "info", None)
        model = info.latency_inference if info else None
        model_s = model.sec + model.nanosec * 1e-9 if model else 0.0
        answers.append((header.stamp.sec + header.stamp.nanosec * 1e-9, arrival_s, model_s))

    node.create_subscription(
        getattr(importlib.import_module(f"{package}.msg"), name), topic, note, 100
    )
    node.create_subscription(Empty, DONE, done.append, 1)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    latest = time.monotonic() + GIVE_UP_S
    while not done and time.monotonic() < latest:
        executor.spin_once(timeout_sec=0.2)
    print(json.dumps(answers))
    rclpy.shutdown()


if __name__ == "__main__":
    main()
