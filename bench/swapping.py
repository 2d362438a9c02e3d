"""Rows `swap_lost`, `swap_lost_at_rate`, `swap_memory`: bundles exchanged while the node works.

As a process, `python -m bench.swapping PID A B COUNT RATE_HZ`, it is all sensors of the node PID,
which runs bundle A, and exchanges B and A by turns. All streams come at once: at a rate of 0 again
as soon as that is answered, so that the node is never idle and a machine that is too slow is not
taken for an exchange that loses something; else at that rate, whatever the node does, as sensors
do. It prints how many were answered and how many were not, how long each exchange took, the
longest time without an answer, and how much memory the node had.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.live import FULL_LOAD_HZ, ours_of, scene_of
from bench.processes import TIMEOUT_S, graph, start, stop
from bench.row import Row
from xmodal_ros.runtime.bundle import Bundle, default_bundle

SWAPS = 100
SETTLE_S = 5.0
"""Before the first exchange and after the last one."""
LEAST_ANSWERS = 10
"""Before anything is counted: publishers and subscribers find each other meanwhile."""
LOST_S = 10.0
"""What is not answered by then is lost."""
TRY_S = 1.0
"""The same before the first answer."""
RATE_HZ = 10.0
"""Of `swap_lost_at_rate`."""


def _bundle() -> Path:
    """A bundle with gels that is loaded in seconds: a hundred exchanges take minutes with it."""
    return default_bundle().with_name("touch")


@lru_cache
def _measured(rate_hz: float = 0.0) -> dict[str, Any]:
    """What the process that exchanges found."""
    path = _bundle()
    with tempfile.TemporaryDirectory() as folder:
        other = Path(shutil.copytree(path, Path(folder) / "other"))
        environment = graph()
        node = start(environment, *ours_of(path, Bundle.load(path))["node"])
        arguments = (str(node.pid), str(path), str(other), str(SWAPS), str(rate_hz))
        swapping = start(environment, "bench.swapping", *arguments)
        try:
            text, _ = swapping.communicate(timeout=SWAPS * TIMEOUT_S)
        finally:
            stop(node)
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


def lost() -> Row:
    """Observations that nothing answered, under full load."""
    return _lost("swap_lost", "as fast as they are answered", _measured())


def lost_at_rate() -> Row:
    """The same where sensors do not wait for answers."""
    return _lost("swap_lost_at_rate", f"{RATE_HZ:g} times a second", _measured(RATE_HZ))


def _lost(name: str, sent: str, found: dict[str, Any]) -> Row:
    return Row(
        name,
        f"observations without an answer in {SWAPS} exchanges of {_bundle().name}, sent {sent}",
        "the bound",
        "observations",
        found["lost"],
        None,
        (found["lost"],),
        at_most=0,
        details={
            "answered": found["answered"],
            "exchange, p50 (ms)": float(np.median(found["swap_ms"])),
            "longest time without an answer (ms)": found["gap_ms"],
            "the same without exchanges (ms)": found["gap_before_ms"],
        },
    )


def memory() -> Row:
    """Resident memory of the node after the last exchange over that after the first.

    What the first one allocates for good, a thread and what libraries load once, is no leak.
    """
    found = _measured()
    before, *between, after = found["memory_mb"]
    return Row(
        "swap_memory",
        f"memory of the node after {SWAPS} exchanges over that after the first",
        "after the first",
        "MB",
        after,
        before,
        (after / before,),
        at_most=1.05,
        details={
            "before the first (MB)": found["memory_before_mb"],
            "most, right after one (MB)": max(between),
        },
    )


class Swapping:
    """All sensors of a node, and the client that exchanges its bundles."""

    def __init__(self, pid: int, bundles: tuple[Path, Path], rate_hz: float) -> None:
        import rclpy

        from bench.sensors import PUBLISHER_DEPTH, TYPES, message
        from xmodal_msgs.srv import LoadBundle
        from xmodal_ros.data.decode import stamp_ns
        from xmodal_ros.ros import spin
        from xmodal_ros.ros.messages import message_class

        rclpy.init()
        self._status, self._paths, self._request = Path(f"/proc/{pid}/status"), bundles, LoadBundle
        bundle = Bundle.load(bundles[0])
        node = self._node = rclpy.create_node("swaps")
        self._spinner = spin.executor()
        self._spinner.add_node(node)
        scene, ours = scene_of(bundle, FULL_LOAD_HZ), ours_of(bundles[0], bundle)
        kinds = {topic: modality for topic, (modality, _) in scene.sensors.items()}
        self._publishers = {
            t: node.create_publisher(TYPES[k], t, PUBLISHER_DEPTH) for t, k in kinds.items()
        }
        self._messages = {topic: message(modality) for topic, modality in kinds.items()}
        self._period_s, self._due_s = 1 / rate_hz if rate_hz else 0.0, time.monotonic()
        self._waiting: dict[int, float] = {}  # when a stamp was sent
        self.lost = 0
        self.heard_s: list[float] = []
        """When answers came."""
        kind = message_class(ours["kind"])
        node.create_subscription(kind, ours["topic"], self._hear, PUBLISHER_DEPTH)
        self._client = node.create_client(LoadBundle, "/perception/load_bundle")
        self._stamp_ns: Callable[[Any], int] = stamp_ns

    def _publish(self) -> None:
        """Send what all sensors see now, the anchor last."""
        stamp = self._node.get_clock().now().to_msg()
        self._waiting[self._stamp_ns(stamp)] = time.monotonic()
        for topic, publisher in self._publishers.items():
            self._messages[topic].header.stamp = stamp
            publisher.publish(self._messages[topic])

    def _hear(self, answer: Any) -> None:
        self.heard_s.append(time.monotonic())
        self._waiting.pop(self._stamp_ns(answer.header.stamp), None)

    def until(self, condition: Callable[[], Any]) -> None:
        """Go on until something is true."""
        latest = time.monotonic() + TIMEOUT_S
        while not condition():
            left_s = self._due_s - time.monotonic() if self._period_s else 0.1
            self._spinner.spin_once(timeout_sec=min(max(left_s, 0.0), 0.1))
            now = time.monotonic()
            limit_s = LOST_S if self.heard_s else TRY_S
            late = [stamp for stamp, sent in self._waiting.items() if now > sent + limit_s]
            self.lost += len(late)
            for stamp in late:
                del self._waiting[stamp]
            if now >= self._due_s if self._period_s else not self._waiting:
                self._publish()
                self._due_s = max(self._due_s + self._period_s, now)
            if now > latest:
                raise TimeoutError("nothing came")

    def answered(self, before: float) -> None:
        """Go on until all that was sent before is answered or lost."""
        self.until(lambda: all(sent > before for sent in self._waiting.values()))

    def rest(self) -> None:
        """Go on for a while."""
        end = time.monotonic() + SETTLE_S
        self.until(lambda: time.monotonic() > end)

    def memory_mb(self) -> float:
        """Resident memory of the node."""
        line = next(x for x in self._status.read_text().splitlines() if x.startswith("VmRSS"))
        return float(line.split()[1]) / 1024

    def swap(self, number: int) -> float:
        """Exchange the bundle; how long it took, in ms."""
        path, begun = self._paths[1 - number % 2], time.monotonic()
        answer = self._client.call_async(self._request.Request(path=str(path)))
        self.until(answer.done)
        if answer.result().error_code:
            raise RuntimeError(answer.result().message)
        return 1e3 * (time.monotonic() - begun)

    def gap_ms(self, begin: float, end: float) -> float:
        """The longest time without an answer in a span."""
        times = [t for t in self.heard_s if begin <= t <= end]
        return 1e3 * float(np.diff(times).max())


def main(pid: str, first: str, second: str, count: str, rate_hz: str) -> None:
    """Exchange again and again."""
    swapping = Swapping(int(pid), (Path(first), Path(second)), float(rate_hz))
    swapping.until(lambda: len(swapping.heard_s) >= LEAST_ANSWERS)
    swapping.answered(time.monotonic())
    swapping.rest()
    memory_before_mb, begun = swapping.memory_mb(), time.monotonic()
    answered, lost = len(swapping.heard_s), swapping.lost
    swap_ms = [swapping.swap(0)]
    swapping.rest()
    memory_mb = [swapping.memory_mb()]
    for number in range(1, int(count)):
        swap_ms.append(swapping.swap(number))
        memory_mb.append(swapping.memory_mb())
    ended = time.monotonic()
    swapping.rest()
    memory_mb.append(swapping.memory_mb())
    swapping.answered(ended)
    found = {
        "answered": len(swapping.heard_s) - answered,
        "lost": swapping.lost - lost,
        "memory_before_mb": memory_before_mb,
        "memory_mb": memory_mb,
        "swap_ms": swap_ms,
        "gap_ms": swapping.gap_ms(begun, ended),
        "gap_before_ms": swapping.gap_ms(begun - SETTLE_S, begun),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
