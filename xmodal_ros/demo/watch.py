"""Listens to a live node: records every answer, and keeps what the live table shows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message

from xmodal_msgs.msg import ModelInfo
from xmodal_ros.data.encode import POINTS, message_type
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.ros import spin
from xmodal_ros.ros.messages import message_class

NODE = "/perception"
DEPTH = 1000
"""Holds everything that may come while this process is busy."""
RATE_WINDOW_S = 2.0


@dataclass
class HeadView:
    """The newest answer of one head, and what came of it so far."""

    labels: tuple[str, ...]
    count: int = 0
    stamp_ns: int = 0
    label: str = ""
    probability: float = 0.0
    latency_ms: float = 0.0
    latencies_ns: list[int] = field(default_factory=list)
    arrivals_s: deque[float] = field(default_factory=deque)

    @property
    def rate_hz(self) -> float:
        """Answers per second, lately."""
        now = time.monotonic()
        while self.arrivals_s and self.arrivals_s[0] < now - RATE_WINDOW_S:
            self.arrivals_s.popleft()
        return len(self.arrivals_s) / RATE_WINDOW_S

    def take(self, message: Any) -> None:
        """Take an answer of any type."""
        info, stamp = message.info, message.header.stamp
        self.count += 1
        self.stamp_ns = nanoseconds(stamp)
        if hasattr(message, "success"):
            p = message.probability
            self.label = self.labels[int(message.success)]
            self.probability = p if message.success else 1 - p
        else:
            self.label, self.probability = message.label, message.confidence
        stages = (info.latency_sync, info.latency_preprocess, info.latency_inference)
        self.latencies_ns.append(sum(map(nanoseconds, stages)))
        self.latency_ms = self.latencies_ns[-1] / 1e6
        self.arrivals_s.append(time.monotonic())


class Watcher:
    """Listens to the node's answers and writes them to a recording; rclpy has to be initialized.

    Args:
        path: Recording to write.
    """

    def __init__(self, path: Path) -> None:
        self.heads: dict[str, HeadView] = {}
        self.model: Any = None
        self.dropped = 0
        """Sets that the node dropped because inference was busy, by its last diagnostics."""
        self._writer = RecordingWriter(path)
        self._node = rclpy.create_node(
            "xmodal_demo", start_parameter_services=False, enable_rosout=False
        )
        self._spinner = spin.executor()
        self._spinner.add_node(self._node)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._node.create_subscription(ModelInfo, f"{NODE}/model_info", self._on_model, latched)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_report, DEPTH)

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)
        self._node.destroy_node()

    @property
    def count(self) -> int:
        """Answers of all heads."""
        return sum(head.count for head in self.heads.values())

    def listen(self, seconds: float) -> None:
        """Take what comes within a time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._spinner.spin_once(timeout_sec=left)

    def _on_model(self, model: ModelInfo) -> None:
        self.model = model
        for head in (head for head in model.heads if head.task != POINTS):
            type_name = message_type(head.task)
            kind, topic = message_class(type_name), f"{NODE}/{head.name}"
            self.heads[head.name] = HeadView(tuple(head.labels))
            take = self._listener(head.name, topic, type_name, kind)
            self._node.create_subscription(kind, topic, take, DEPTH, raw=True)

    def _listener(
        self, name: str, topic: str, type_name: str, kind: Any
    ) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            message = deserialize_message(data, kind)
            self._writer.write_raw(topic, type_name, nanoseconds(message.header.stamp), data)
            self.heads[name].take(message)

        return take

    def _on_report(self, report: DiagnosticArray) -> None:
        for status in report.status:
            values = {v.key: v.value for v in status.values}
            if status.name.endswith("predictions") and "dropped" in values:
                self.dropped = int(values["dropped"])


def nanoseconds(time_message: Any) -> int:
    """A `Time` or `Duration` message in nanoseconds."""
    return int(time_message.sec) * 1_000_000_000 + int(time_message.nanosec)
