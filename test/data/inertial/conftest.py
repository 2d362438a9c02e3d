"""Tracks of a sensor that turns slowly in gravity, and data sets of them in small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xmodal_ros.data.fields import imu_fields
from xmodal_ros.data.inertial.track import ACCELERATION, ANGULAR_RATE, Track, channels
from xmodal_ros.data.recording import RecordingWriter

START_NS = 1_700_000_000_000_000_000


def motion(times_s: np.ndarray, seed: int = 0) -> np.ndarray:
    """`(N, 6)` of a sensor that turns about changing axes, with a little noise."""
    angles = 0.8 * np.sin(times_s[:, None] * (1.1, 0.7, 0.5) + (0.0, 1.0, 2.0))
    pose = Rotation.from_rotvec(angles)
    later = Rotation.from_rotvec(
        0.8 * np.sin((times_s[:, None] + 1e-4) * (1.1, 0.7, 0.5) + (0, 1, 2))
    )
    rate = (pose.inv() * later).as_rotvec() / 1e-4
    noise = np.random.default_rng(seed).normal(0.0, 0.02, (len(times_s), 6))
    return np.hstack([pose.inv().apply((0.0, 0.0, 9.81)), rate]) + noise


@pytest.fixture
def start_ns() -> int:
    """First stamp of `track`."""
    return START_NS


@pytest.fixture
def track() -> Track:
    """20 s at 100 Hz, with acceleration and angular rate, and no label."""
    times_s = np.arange(2000) / 100.0
    return Track(
        session="session",
        subject="anna",
        device="watch",
        part="train",
        times_ns=START_NS + np.rint(times_s * 1e9).astype(np.int64),
        values=motion(times_s),
        channels=channels(ACCELERATION, ANGULAR_RATE),
        labels=(),
        rate_hz=100.0,
        where="made",
    )


@pytest.fixture
def change(track) -> Callable[..., Track]:
    """`track` with other fields; `kept` chooses its samples."""

    def made(kept: slice | np.ndarray | None = None, **changes) -> Track:
        chosen = np.arange(len(track.times_ns)) if kept is None else kept
        fewer = replace(track, times_ns=track.times_ns[chosen], values=track.values[chosen])
        return replace(fewer, **changes)

    return made


@pytest.fixture
def record() -> Callable[..., Path]:
    """Write a recording of an IMU, 100 Hz for 3 s: `(path, labels, topic, bad)`.

    `labels` are (second from which it holds, label); samples of `bad` are NaN.
    """

    def write(
        path: Path,
        labels: Sequence[tuple[float, str]] = (),
        topic: str = "/imu/data_raw",
        bad: Sequence[int] = (),
    ) -> Path:
        values = motion(np.arange(300) / 100.0)
        values[list(bad)] = np.nan
        entries = [
            (
                START_NS + round(at * 1e9),
                "/labels/activity",
                "std_msgs/msg/String",
                {"data": label},
            )
            for at, label in labels
        ]
        for k, sample in enumerate(values):
            stamp_ns = START_NS + k * 10_000_000
            fields = imu_fields(stamp_ns, "imu", sample)
            entries.append((stamp_ns + 2_000_000, topic, "sensor_msgs/msg/Imu", fields))
        with RecordingWriter(path) as writer:
            for time_ns, name, kind, fields in sorted(entries, key=lambda entry: entry[0]):
                writer.write(name, kind, time_ns, fields)
        return path

    return write
