"""Random timelines of four sensors, shared by the synchronizer's rows."""

from __future__ import annotations

import numpy as np

RATES_HZ = {"tactile": 60.0, "camera": 30.0, "imu": 400.0, "lidar": 10.0}
"""Gel, camera, IMU and LiDAR as in the rows about 51 MB/s; the first one is the anchor."""
QUEUE = 50
SLOP_S = 0.05


def timeline(seconds: float, seed: int = 0) -> list[tuple[str, int]]:
    """Messages `(stream, stamp in ns)` in order; stamps jitter by 0.3 of a period."""
    rng = np.random.default_rng(seed)
    messages = []
    for name, rate_hz in RATES_HZ.items():
        count = int(seconds * rate_hz)
        times_s = 1.0 + (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / rate_hz
        messages += [(name, round(t * 1e9)) for t in times_s]
    return sorted(messages, key=lambda message: message[1])
