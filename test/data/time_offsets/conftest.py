"""Recordings of a hand that is shaken: an IMU, a camera that sees it, gels that hold a thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from xmodal_ros.core.settings import Settings
from xmodal_ros.data.fields import image_fields, imu_fields
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.time_offsets.motion import Motion, read_motion

START_NS = 1_700_000_000_000_000_000
RATES_HZ = {"camera": 20.0, "tactile_left": 25.0, "tactile_right": 25.0, "imu": 200.0}
ERRORS_S = {"camera": 0.031, "tactile_left": -0.012, "tactile_right": 0.0085, "imu": 0.02}
"""By how much each sensor's stamps are late."""
STEP_S = 0.15
"""The hand goes through random places this far apart in time: up to about 3 Hz."""

Write = Callable[..., Path]


def _write(
    path: Path,
    seconds: float = 24.0,
    seed: int = 0,
    errors_s: Mapping[str, float] = ERRORS_S,
    gel_lag_s: float = 0.0,
) -> Path:
    rng = np.random.default_rng(seed)
    knots = np.arange(-1.0, seconds + 1.0, STEP_S)
    place = CubicSpline(knots, rng.normal(size=(len(knots), 3)))
    turn = CubicSpline(knots, rng.normal(size=(len(knots), 3)))
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (300, 300)), (0, 0), 2)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)

    def picture(shift: np.ndarray) -> np.ndarray:
        matrix = np.array([[1, 0, shift[0] - 100], [0, 1, shift[1] - 100]])
        moved = cv2.warpAffine(texture, matrix, (96, 72)).astype(np.float64)
        noisy = moved + rng.normal(0, 2, moved.shape)
        return cv2.cvtColor(noisy.clip(0, 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)

    def read(stream: str, at: float, stamp: int) -> tuple[str, str, dict]:
        if stream == "imu":
            force = axes @ (place(at, 2) / 100 + (0, 0, 9.81)) + rng.normal(0, 0.02, 3)
            values = np.concatenate([force, axes @ turn(at, 1) / 10]).astype(np.float32)
            return "/imu/data_raw", "sensor_msgs/msg/Imu", imu_fields(stamp, stream, values)
        seen = place(at) * 2 if stream == "camera" else place(at - gel_lag_s, 2) / 100
        image = image_fields(stamp, stream, picture(seen[:2]))
        return f"/{stream}/image_raw", "sensor_msgs/msg/Image", image

    moments = sorted(
        (at, stream)
        for stream, rate_hz in RATES_HZ.items()
        for at in np.arange(rng.uniform(0, 1 / rate_hz), seconds, 1 / rate_hz)
    )
    with RecordingWriter(path) as writer:
        for at, stream in moments:
            stamp = START_NS + round(1e9 * (at + errors_s[stream]))
            topic, kind, fields = read(stream, at, stamp)
            writer.write(topic, kind, START_NS + round(1e9 * at), fields)
    return path


@pytest.fixture(scope="session")
def write_shaken() -> Write:
    """Write a recording."""
    return _write


@pytest.fixture(scope="session")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 24 s with errors of `ERRORS_S`."""
    return _write(tmp_path_factory.mktemp("shaken") / "r")


@pytest.fixture(scope="session")
def motions(shaken: Path) -> dict[str, Motion]:
    """What moves in it."""
    return read_motion(shaken, Settings())


@pytest.fixture(scope="session")
def errors_s() -> dict[str, float]:
    """By how much the stamps of `shaken` are late."""
    return dict(ERRORS_S)
