"""Rows `live_rate`, `live_latency`, `node_overhead`: the live node beside a hand-written one."""

from __future__ import annotations

import statistics
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

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


class Heard(NamedTuple):
    """What an observer of a running node heard after it had warmed up."""

    stamp_s: np.ndarray
    published_s: np.ndarray
    arrival_s: np.ndarray
    model_s: np.ndarray
    overhead_ms: float | None
    """From the node's diagnostics: the anchor's arrival to publishing minus the model's time."""
    held_ms: float
    """Time after the stamp at which the sensors handed over the anchor's message, median."""


def scene_of(bundle: Bundle, rates_hz: dict[str, float]) -> Scene:
    """Sensors for a bundle, the anchor last; each topic has one subscriber."""
    settings = Settings().reading(bundle.inputs)
    streams = sorted(settings.streams, key=lambda s: s.name == settings.anchor.name)
    topics = {f"/{s.topic}": (s.modality, rates_hz[s.modality]) for s in streams}
    return Scene(topics, SECONDS)


def run(
    scene: Scene,
    node: tuple[str, ...],
    topic: str,
    kind: str,
    beside: tuple[str, ...] = (),
) -> Heard:
    """Run a node and its sensors, beside another process that says when it is ready."""
    environment = graph()
    observer = start(environment, "bench.observer", topic, kind)
    running = [start(environment, *node)]
    if beside:
        running.append(start(environment, *beside))
        assert running[-1].stdout
        running[-1].stdout.readline()
    try:
        sent = answer(start(environment, "bench.sensors", scene.to_json()))
        heard = answer(observer)
    finally:
        for process in running:
            stop(process)
    answers = np.array(heard["answers"], np.float64).reshape(-1, 4)
    since_s = answers[:, 2] - answers[:1, 0]  # arrival since the first stamp that was answered
    answers = answers[(since_s > WARM_UP_S) & (since_s < SECONDS)]
    if not len(answers):
        raise RuntimeError(f"no answer on {topic} between {WARM_UP_S} s and {SECONDS} s")
    stamp_s, published_s, arrival_s, model_s = answers.T
    held_ms = sent["held_ms"][next(reversed(scene.sensors))]
    return Heard(stamp_s, published_s, arrival_s, model_s, heard["overhead_ms"], held_ms)


def ours_of(path: Path, bundle: Bundle) -> dict[str, Any]:
    """How to run our node, and where its answers come; the head that reads most streams."""
    head = max(bundle.heads, key=lambda name: len(bundle.spec.heads[name].streams))
    return {
        "node": ("xmodal_ros", "node", "--set", f"inference.bundle={path}"),
        "topic": f"/perception/{head}",
        "kind": message_type(bundle.heads[head].task),
    }


@lru_cache(maxsize=1)
def _full_load() -> list[tuple[Heard, Heard]]:
    """Answers of our node and of the hand-written one, in turns."""
    path = default_bundle()
    bundle = Bundle.load(path)
    scene, ours = scene_of(bundle, FULL_LOAD_HZ), ours_of(path, bundle)
    theirs = ("bench.hand_written", str(path))
    return [
        (run(scene, **ours), run(scene, theirs, hand_written.OUTPUT, "std_msgs/msg/Header"))
        for _ in range(REPEATS)
    ]


def rate_hz(heard: Heard) -> float:
    """Answers per second."""
    return len(heard.stamp_s) / (SECONDS - WARM_UP_S)


def rate() -> Row:
    """Predictions per second at the sensors' rates."""
    ours = [rate_hz(a) for a, _ in _full_load()]
    theirs = [rate_hz(b) for _, b in _full_load()]
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
    ours = [float(np.percentile(a.arrival_s - a.stamp_s, 99)) for a, _ in _full_load()]
    theirs = [float(np.percentile(b.arrival_s - b.stamp_s, 99)) for _, b in _full_load()]
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
    """Median of stamp to publishing minus the model's time, where all streams carry one stamp."""
    path = default_bundle()
    bundle = Bundle.load(path)
    scene, ours = scene_of(bundle, LIGHT_LOAD_HZ), ours_of(path, bundle)
    found = [run(scene, **ours) for _ in range(REPEATS)]
    overheads = [_median_ms(a.published_s - a.stamp_s - a.model_s) for a in found]
    inside = [a.overhead_ms for a in found if a.overhead_ms is not None]
    held = [a.held_ms for a in found]
    out = [_median_ms(a.arrival_s - a.published_s) for a in found]
    return Row(
        "node_overhead",
        "stamp to publishing of the answer minus the model's time, p50, all streams in step",
        "0",
        "ms",
        statistics.median(overheads),
        None,
        tuple(overheads),
        at_most=3,
        note="one process stamps the messages of all sensors alike, then publishes them in turns",
        details={
            "of it until the sensors handed over the last message (ms)": statistics.median(held),
            "of it in the node, from the anchor's arrival (ms)": statistics.median(inside),
            "transport of the answer, which is not in it (ms)": statistics.median(out),
        },
    )


def _median_ms(seconds: np.ndarray) -> float:
    return float(np.median(seconds)) * 1e3
