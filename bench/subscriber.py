"""Rows `subscriber_cpu` and `messages_lost`: 51 MB/s of four sensors through a ROS 2 graph."""

from __future__ import annotations

import statistics
from functools import lru_cache
from typing import Any

from bench.processes import answer, graph, start
from bench.receivers import TOPIC
from bench.row import Row, compare
from bench.sensors import Scene
from bench.timelines import RATES_HZ

SECONDS = 8.0
REPEATS = 5


@lru_cache(maxsize=1)
def _measured() -> list[tuple[dict[str, Any], ...]]:
    """Of each repeat what was published, and what the two subscribers of it say."""
    scene = Scene({TOPIC.format(n): (n, hz) for n, hz in RATES_HZ.items()}, SECONDS, 2)
    found = []
    for _ in range(REPEATS):
        environment = {**graph(), "OMP_NUM_THREADS": "1"}
        receivers = [start(environment, "bench.receivers", kind) for kind in ("ours", "bare")]
        sensors = start(environment, "bench.sensors", scene.to_json())
        published = answer(sensors)["counts"]
        found.append((published, *(answer(process) for process in receivers)))
    return found


def cpu() -> Row:
    """CPU time of both subscribers, which hear the same publisher at the same time."""
    ours = [ours["cpu_s"] / SECONDS for _, ours, _ in _measured()]
    bare = [bare["cpu_s"] / SECONDS for _, _, bare in _measured()]
    return compare(
        "subscriber_cpu",
        "CPU of a subscriber of 51 MB/s of four sensors that decodes and synchronizes",
        "single-threaded rclpy that only receives",
        ours,
        bare,
        unit="%",
        scale=100.0,
        at_most=1.2,
    )


def lost() -> Row:
    """Messages that did not reach our subscriber."""
    missing = [
        float(sum(published.values()) - sum(ours["counts"].values()))
        for published, ours, _ in _measured()
    ]
    bare = [
        float(sum(published.values()) - sum(bare["counts"].values()))
        for published, _, bare in _measured()
    ]
    return Row(
        "messages_lost",
        f"messages lost of {sum(_measured()[0][0].values())} at 51 MB/s, our publishers' profile",
        "none",
        "messages",
        statistics.median(missing),
        None,
        tuple(missing),
        at_most=0,
        details={"lost by the subscriber that only receives (median)": statistics.median(bare)},
    )
