"""Notes when answers come, as a process: `python -m bench.observer TOPIC TYPE`.

Prints, when the sensors are done, for every answer its stamp, when it was published and when it
arrived, and, where it says so, the time of the model, all in seconds; and the overhead that the
node's diagnostics say, null where there are none.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Empty

from bench.sensors import DONE

GIVE_UP_S = 170.0
OVERHEAD = "overhead p50 (ms)"


def main() -> None:
    """Listen until the sensors are done."""
    topic, kind = sys.argv[1:]
    package, _, name = kind.split("/")
    rclpy.init()
    node = rclpy.create_node("bench_observer")
    answers: list[tuple[float, ...]] = []
    overheads_ms: list[float | None] = [None]
    done: list[Empty] = []

    def note(message: Any, sent: dict[str, int]) -> None:
        arrival_s, published_s = time.time(), sent["source_timestamp"] * 1e-9
        header = getattr(message, "header", message)
        info = getattr(message, "info", None)
        model = info.latency_inference if info else None
        model_s = model.sec + model.nanosec * 1e-9 if model else 0.0
        stamp_s = header.stamp.sec + header.stamp.nanosec * 1e-9
        answers.append((stamp_s, published_s, arrival_s, model_s))

    def note_overhead(message: DiagnosticArray) -> None:
        pairs = (pair for status in message.status for pair in status.values)
        overheads_ms.extend(float(p.value) for p in pairs if p.key == OVERHEAD)

    node.create_subscription(
        getattr(importlib.import_module(f"{package}.msg"), name), topic, note, 100
    )
    node.create_subscription(DiagnosticArray, "/diagnostics", note_overhead, 10)
    node.create_subscription(Empty, DONE, done.append, 1)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    latest = time.monotonic() + GIVE_UP_S
    while not done and time.monotonic() < latest:
        executor.spin_once(timeout_sec=0.2)
    print(json.dumps({"answers": answers, "overhead_ms": overheads_ms[-1]}))
    rclpy.shutdown()


if __name__ == "__main__":
    main()
