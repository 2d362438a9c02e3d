"""Rows `assess_reaction`, `assess_limit`: how soon the action `assess_grasp` answers.

As a process, `python -m bench.assessing` asks again and again until the sensors are done: by turns
what the first prediction decides, and what no prediction can, with a short limit. It prints for
each goal of the first kind the time from the anchor's stamp to the arrival of the answer, and of
the second kind the time from asking to the answer minus the limit, in ms.
"""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import cycle
from typing import Any

import numpy as np

from bench.describing import LOAD_HZ
from bench.live import REPEATS, WARM_UP_S, scene_of
from bench.processes import answer, graph, start, stop
from bench.row import Row
from xmodal_ros.runtime.bundle import Bundle, default_bundle

LIMIT_S = 0.3
ANY, SURE = 0.5, 1.0
"""Probabilities that are asked for: one that every answer reaches, and one that none does."""


@lru_cache(maxsize=1)
def _measured() -> list[dict[str, list[float]]]:
    """What the asking process found, for each repeat."""
    path = default_bundle()
    scene = scene_of(Bundle.load(path), LOAD_HZ)
    found = []
    for _ in range(REPEATS):
        environment = graph()
        node = start(environment, "xmodal_ros", "node", "--set", f"inference.bundle={path}")
        asking = start(environment, "bench.assessing")
        try:
            answer(start(environment, "bench.sensors", scene.to_json()))
            found.append(answer(asking))
        finally:
            stop(node)
    return found


def reaction() -> Row:
    """Median time from the anchor that decides to the answer."""
    found = [f["reaction_ms"] for f in _measured()]
    return _row(
        "assess_reaction",
        "stamp of the anchor that decides to the arrival of the action's answer, p50, "
        f"{LOAD_HZ['tactile']:g} Hz of gel images",
        [float(np.median(values)) for values in found],
        at_most=50,
        details={"p99 (ms)": float(np.percentile(np.concatenate(found), 99))},
    )


def limit() -> Row:
    """Latest arrival of an answer after its limit."""
    found = [f["late_ms"] for f in _measured()]
    return _row(
        "assess_limit",
        f"arrival of an answer that is never sure, after its limit of {LIMIT_S:g} s, the latest",
        [max(values) for values in found],
        at_most=0,
        details={"p50 (ms)": float(np.median(np.concatenate(found)))},
    )


def _row(name: str, what: str, values: list[float], **held: Any) -> Row:
    return Row(
        name, what, "the bound", "ms", float(np.median(values)), None, tuple(values), **held
    )


def main() -> None:
    """Ask until the sensors are done."""
    import rclpy
    from std_msgs.msg import Empty

    from bench.sensors import DONE
    from xmodal_ros.core.assess import Decision
    from xmodal_ros.ros import spin
    from xmodal_ros.ros.client import Perception

    rclpy.init()
    node, spinner = rclpy.create_node("asks"), spin.executor()
    spinner.add_node(node)
    perception, clock = Perception(node), node.get_clock()
    done: list[Empty] = []
    node.create_subscription(Empty, DONE, done.append, 1)
    found: dict[str, list[float]] = {"reaction_ms": [], "late_ms": []}
    begun_ns = 0
    for sure in cycle((ANY, SURE)):
        asked_ns = clock.now().nanoseconds
        limit_s = LIMIT_S if sure == SURE else 2.0
        question = perception.assess_grasp_async(limit_s, min_confidence=sure, threshold=ANY)
        while not question.done() and not done:
            spinner.spin_once(timeout_sec=0.1)
        now_ns = clock.now().nanoseconds
        if done:
            break
        if question.exception():
            continue  # the node is not active yet, or its sensors have not begun
        given = question.result()
        begun_ns = begun_ns or now_ns
        if now_ns - begun_ns < WARM_UP_S * 1e9:
            continue
        if given.decision == Decision.UNSURE:
            found["late_ms"].append((now_ns - asked_ns) * 1e-6 - limit_s * 1e3)
        elif sure == ANY:
            found["reaction_ms"].append((now_ns - given.stamp_ns) * 1e-6)
    print(json.dumps(found))
    spinner.shutdown()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
