"""Row `scan`: what a LiDAR's points cost on their way to an embedding and labels, and back."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import torch

from bench.decoding import cloud_of
from bench.row import Row, timed
from xmodal_ros.core.range_image import gather, to_range_image
from xmodal_ros.data.decode import decode_pointcloud2
from xmodal_ros.nn.architecture import Trunk
from xmodal_ros.nn.branch import Branch
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.runtime.backends.base import ConversionCache, Target
from xmodal_ros.runtime.backends.selection import create
from xmodal_ros.runtime.manifest import PointsCard
from xmodal_ros.runtime.points import label_points

RINGS, STEPS, REPEATS = 64, 1875, 15
SETTINGS = LidarSettings(height=RINGS, width=2048)
CELL = LidarSettings()
CLASSES = 6
CARD = PointsCard(tuple("abcdef"))
NOTHING = np.zeros(0), np.zeros(0)
"""Tokens and embedding, which classes do not need."""


def scan() -> Row:
    """120,000 points of 64 rings: everything but the network, in CPU time of one core."""
    points, rng = turn(STEPS), np.random.default_rng(0)
    message, pixels = cloud_of(points), to_range_image(points, SETTINGS.view).pixels
    features = rng.random((SETTINGS.height * SETTINGS.width, SETTINGS.dim), np.float32)
    logits = rng.normal(size=(1, CLASSES, SETTINGS.height, SETTINGS.width)).astype(np.float32)

    def work() -> None:
        found = to_range_image(decode_pointcloud2(message), SETTINGS.view)
        label_points((*NOTHING, logits, found.pixels), CARD)

    times = _milliseconds(work)
    return Row(
        "scan",
        "120,000 points of 32 bytes: decode, project to 64x2048, class and confidence of each",
        "15 ms of one core",
        "ms",
        statistics.median(times),
        None,
        tuple(times),
        at_most=15.0,
        note="rows learned from the scan; the backbone is beside it, fp32, one thread",
        details={
            "of it decoding (ms)": statistics.median(
                _milliseconds(lambda: decode_pointcloud2(message))
            ),
            "of it classes from logits (ms)": statistics.median(
                _milliseconds(lambda: label_points((*NOTHING, logits, pixels), CARD))
            ),
            "gathering 64 features a point instead (ms)": statistics.median(
                _milliseconds(lambda: gather(features, pixels))
            ),
            "tokens and embedding of 64x2048, openvino (ms)": _backbone(SETTINGS),
            "tokens, embedding and logits of 64x2048, openvino (ms)": _backbone(SETTINGS, CLASSES),
            "tokens and embedding of 32x512, openvino (ms)": _backbone(CELL),
            "1,000,000 points to classes, memory beside them and the network (MB)": _megabytes(
                logits
            ),
        },
    )


def turn(steps: int) -> np.ndarray:
    """A turn of 64 unevenly spaced rings, whose distances vary smoothly. Shape: (N, 4)."""
    rng = np.random.default_rng(0)
    rings = np.sort(rng.uniform(-25, 15, RINGS))
    up, along = np.radians(np.meshgrid(rings, np.arange(steps) * 360 / steps, indexing="ij"))
    distance = 20 + 10 * np.sin(3 * along) + rng.normal(0, 0.02, up.shape)
    flat = distance * np.cos(up)
    values = [flat * np.cos(along), flat * np.sin(along), distance * np.sin(up)]
    return np.stack([*values, rng.random(up.shape)], axis=-1).reshape(-1, 4).astype(np.float32)


def _milliseconds(work: Callable[[], object]) -> list[float]:
    work()
    return [1e3 * timed(work, time.process_time) for _ in range(REPEATS)]


def _backbone(settings: LidarSettings, classes: int = 0) -> float:
    """Median time of a scan's branch."""
    torch.manual_seed(0)
    branch = Branch(settings, Trunk(), classes).eval()
    example = tuple(x.numpy() for x in branch.example())
    name = f"bench_{settings.height}x{settings.width}_{classes}"
    backend = create("openvino", Target("cpu", "fp32", 1), ConversionCache(name))
    stage = backend.compile(name, branch, example)
    image = to_range_image(turn(STEPS), settings.view).image[None]
    return statistics.median(_milliseconds(lambda: stage(image)()))


def _megabytes(logits: np.ndarray) -> float:
    """Most memory at a time, what is returned included."""
    points = turn(1_000_000 // RINGS)
    tracemalloc.start()
    try:
        found = to_range_image(points, SETTINGS.view)
        label_points((*NOTHING, logits, found.pixels), CARD)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
