"""Rows `live_rate`, `live_latency`, `node_overhead`: the live node beside a hand-written one."""

from __future__ import annotations

import statistics
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bench import hand_written
from bench.processes import answer, graph, start, stop
from bench.row import Row, compare
from bench.sensors import Scene
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.encode import message_type
from xmodal_ros.runtime.bundle import Bundle, default_bundle

SECONDS, WARM_UP_S = 12.0, 3.0
REPEATS = 3
FULL_LOAD_HZ = {"tactile": 60.0, "camera": 30.0, "imu": 400.0, "lidar": 10.0}
"""More gel images than either can answer, as fast sensors give them."""
LIGHT_LOAD_HZ = {"tactile": 5.0, "camera": 5.0, "imu": 20.0, "lidar": 5.0}


def _scene(bundle: Bundle, rates_hz: dict[str, float]) -> Scene:
    """Sensors for a bundle, the anchor last; each topic has one subscriber."""
    settings = Settings().reading(bundle.inputs)
    streams = sorted(settings.streams, key=lambda s: s.name == settings.anchor.name)
    topics = {f"/{s.topic}": (s.modality, rates_hz[s.modality]) for s in streams}
    return Scene(topics, SECONDS)


def _run(scene: Scene, node: tuple[str, ...], topic: str, kind: str) -> np.ndarray:
    """Answers after warming up, `(N, 3)`: stamp, arrival and model time in s."""
    environment = graph()
    observer = start(environment, "bench.observer", topic, kind)
    running = start(environment, *node)
    try:
        answer(start(environment, "bench.sensors", scene.to_json()))
        answers = np.array(answer(observer), np.float64).reshape(-1, 3)
    finally:
        stop(running)
    since_s = answers[:, 1] - answers[:1, 0]  # arrival since the first stamp that was answered
    answers = answers[(since_s > WARM_UP_S) & (since_s < SECONDS)]
    if not len(answers):
        raise RuntimeError(f"no answer on {topic} between {WARM_UP_S} s and {SECONDS} s")
    return answers


def _ours(path: Path, bundle: Bundle) -> dict[str, Any]:
    """How to run our node, and where its answers come; the head that reads most streams."""
    head = max(bundle.heads, key=lambda name: len(bundle.spec.heads[name].streams))
    return {
        "node": ("xmodal_ros", "node", "--set", f"inference.bundle={path}"),
        "topic": f"/perception/{head}",
        "kind": message_type(bundle.heads[head].task),
    }


@lru_cache(maxsize=1)
def _full_load() -> list[tuple[np.ndarray, np.ndarray]]:
    """Answers of our node and of the hand-written one, in turns."""
    path = default_bundle()
    bundle = Bundle.load(path)
    scene, ours = _scene(bundle, FULL_LOAD_HZ), _ours(path, bundle)
    theirs = ("bench.hand_written", str(path))
    return [
        (_run(scene, **ours), _run(scene, theirs, hand_written.OUTPUT, "std_msgs/msg/Header"))
        for _ in range(REPEATS)
    ]


def _rate_hz(answers: np.ndarray) -> float:
    return len(answers) / (SECONDS - WARM_UP_S)


def rate() -> Row:
    """Predictions per second at the sensors' rates."""
    ours = [_rate_hz(a) for a, _ in _full_load()]
    theirs = [_rate_hz(b) for _, b in _full_load()]
    offered = FULL_LOAD_HZ["tactile"]
    return compare(
        "live_rate",
        f"predictions per second of the live node, {offered:g} Hz of gel images offered",
        "ApproximateTimeSynchronizer, image copies and eager fp32 torch in the callback",
        ours,
        theirs,
        unit="1/s",
        scale=1.0,
        at_least=4,
    )


def latency() -> Row:
    """99th percentile from the anchor's stamp to the arrival of the answer."""
    ours = [float(np.percentile(a[:, 1] - a[:, 0], 99)) for a, _ in _full_load()]
    theirs = [float(np.percentile(b[:, 1] - b[:, 0], 99)) for _, b in _full_load()]
    return compare(
        "live_latency",
        "p99 from the anchor's stamp to the answer's arrival, the same run",
        "the same",
        ours,
        theirs,
        unit="ms",
        scale=1e3,
        at_most=1 / 3,
    )


def overhead() -> Row:
    """Median of stamp to arrival minus the model's time, where all streams carry one stamp."""
    path = default_bundle()
    bundle = Bundle.load(path)
    scene, ours = _scene(bundle, LIGHT_LOAD_HZ), _ours(path, bundle)
    found = [_run(scene, **ours) for _ in range(REPEATS)]
    overheads = [float(np.median(a[:, 1] - a[:, 0] - a[:, 2])) * 1e3 for a in found]
    return Row(
        "node_overhead",
        "stamp to arrival of the answer minus the model's time, p50, all streams in step",
        "0",
        "ms",
        statistics.median(overheads),
        None,
        tuple(overheads),
        at_most=3,
        note="with the transport of the sensors' messages and of the answer",
    )
