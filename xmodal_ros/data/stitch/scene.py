"""What the parts of the demonstration recording agree on: its time line and its streams."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

SEGMENTS = 6
HOLE_S = 2.08
"""The gels are silent so long before each grasp that no clip of a model mixes two grasps."""
SEGMENT_S = 4.0
DURATION_S = SEGMENTS * SEGMENT_S


@dataclass(frozen=True, slots=True)
class Scene:
    """What goes into the recording; times in seconds from its start."""

    streams: Mapping[str, Iterator[tuple[float, np.ndarray]]]
    """Stamp and data by stream, in the order of their stamps."""
    labels: Mapping[str, list[tuple[float, str]]]
    """Time and label by head; each is valid until the next one, an empty one means none."""
    metadata: Mapping[str, str]


def ticks(rate_hz: float, phase_s: float, jitter_s: float, seed: tuple[int, int]) -> np.ndarray:
    """Stamps of a sensor over the whole recording in seconds, with the jitter of a real one."""
    count = math.ceil((DURATION_S - phase_s) * rate_hz)
    noise = np.random.default_rng(seed).normal(0, jitter_s, count)
    stamps: np.ndarray = phase_s + np.arange(count) / rate_hz
    stamps += noise.clip(-3 * jitter_s, 3 * jitter_s)
    return stamps
