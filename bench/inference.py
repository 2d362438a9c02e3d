"""Rows `backend_speed`, `backend_difference` and `conditioning`: what the network costs."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch

from bench.row import Row, compare, side_by_side
from bench.scan import STEPS, turn
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.nn.architecture import Architecture
from xmodal_ros.nn.network import Network, build_network
from xmodal_ros.runtime.bundle import Bundle, default_bundle
from xmodal_ros.runtime.export import TOLERANCE
from xmodal_ros.runtime.predictor import Predictor

REPEATS, CALLS = 7, 3
EAGER = InferenceSettings(backend="torch", device="cpu", precision="fp32")


def _observation(bundle: Bundle, seed: int = 0) -> Observation:
    """Smooth random images, random samples and a scan for the streams of a bundle."""
    rng = np.random.default_rng(seed)
    streams = {}
    for name, spec in bundle.inputs.items():
        if spec.modality is Modality.IMU:
            window = rng.normal(0, 1, (spec.frames, 6)).astype(np.float32)
            streams[name] = StreamData(spec.modality, window, (0, 1), 0)
            continue
        if spec.modality is Modality.LIDAR:
            streams[name] = StreamData(spec.modality, turn(STEPS), (0,), 0)
            continue
        coarse = rng.integers(60, 180, (spec.frames, 6, 8, 3)).astype(np.uint8)
        clip = tuple(np.asarray(cv2.resize(c, (spec.width, spec.height))) for c in coarse)
        stamps = tuple(range(spec.frames))
        frames = clip if spec.modality is Modality.TACTILE else ()
        streams[name] = StreamData(spec.modality, clip[-1], stamps, 0, frames)
    return Observation(0, "", next(iter(streams)), streams)


def _fresh(predictor: Predictor, observation: Observation) -> Callable[[], None]:
    """Predictions for which nothing is kept, clips included."""

    def work() -> None:
        for _ in range(CALLS):
            predictor.clear()
            predictor.predict(observation)

    return work


@lru_cache(maxsize=1)
def _predictors() -> tuple[Predictor, Predictor]:
    """The backend that `auto` chooses, and eager torch."""
    bundle = Bundle.load(default_bundle())
    return Predictor(bundle, InferenceSettings(device="cpu")), Predictor(bundle, EAGER)


def _chosen() -> str:
    backend = _predictors()[0].backend
    return f"{backend.name} {backend.target.precision}"


def speed() -> Row:
    """Predictions per second of the two, with every frame of the clips encoded anew."""
    best, eager = _predictors()
    observation = _observation(best.bundle)
    ours, theirs = side_by_side(
        _fresh(best, observation),
        _fresh(eager, observation),
        REPEATS,
        clock=time.perf_counter,
    )
    return compare(
        "backend_speed",
        f"predictions per second of the best CPU backend ({_chosen()}), nothing cached",
        "eager torch fp32",
        [CALLS / seconds for seconds in ours],
        [CALLS / seconds for seconds in theirs],
        unit="1/s",
        scale=1.0,
        at_least=4,
    )


def difference() -> Row:
    """Largest difference of a probability between the two."""
    best, eager = _predictors()
    found = []
    for seed in range(REPEATS):
        observation = _observation(best.bundle, seed)
        one, other = best.predict(observation).heads, eager.predict(observation).heads
        best.clear()
        eager.clear()
        found.append(
            max(float(np.abs(one[n].probabilities - other[n].probabilities).max()) for n in one)
        )
    return Row(
        "backend_difference",
        f"largest difference of a probability, {_chosen()}",
        "eager torch fp32",
        "",
        statistics.median(found),
        None,
        tuple(found),
        at_most=TOLERANCE[best.backend.target.precision],
    )


class _Untrained(Bundle):
    """A bundle with another layout of its network, whose weights are random."""

    def network(self) -> Network:
        """Build it."""
        torch.manual_seed(0)
        return build_network(self.architecture).eval()


def _variant(bundle: Bundle, **trunk: Any) -> Predictor:
    architecture = {**bundle.architecture, **trunk}
    values = {f.name: getattr(bundle, f.name) for f in dataclasses.fields(bundle)}
    values |= {"architecture": architecture, "spec": Architecture.from_mapping(architecture)}
    values["weights_hash"] = "untrained"  # a key of its own for converted graphs
    return Predictor(_Untrained(**values), InferenceSettings(device="cpu"))


def conditioning() -> Row:
    """Frames per second lost by CEC over plain averaging of the same tokens."""
    bundle = Bundle.load(default_bundle())
    observation = _observation(bundle)
    lost: dict[str, list[float]] = {}
    times: dict[str, tuple[list[float], list[float]]] = {}
    for encoders in ("shared", "separate"):
        plain = _variant(bundle, encoders="shared", fusion="mean")
        cec = _variant(bundle, encoders=encoders, fusion="cec")
        times[encoders] = side_by_side(
            _fresh(cec, observation), _fresh(plain, observation), REPEATS, clock=time.perf_counter
        )
        lost[encoders] = [1 - b / a for a, b in zip(*times[encoders], strict=True)]
    ours, theirs = (statistics.median(t) / CALLS * 1e3 for t in times["shared"])
    return Row(
        "conditioning",
        "share of predictions per second lost by CEC, shared encoders",
        "averaging the same tokens",
        "ms",
        ours,
        theirs,
        tuple(lost["shared"]),
        at_most=0.08,
        note="ConViTac reports 0.166",
        details={"lost with separate encoders": statistics.median(lost["separate"])},
    )
