"""The IMU on the wrist: MuJoCo's accelerometer and gyro with the errors of a real one.

Error model of IEEE Std 952: a constant bias, a bias that walks, white noise; on top of it the
vibration of the arm's gears, which grows with the joints' speed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.robot import JOINTS


@dataclass(frozen=True)
class ImuSettings:
    """Errors of the IMU; the defaults are those of an industrial MEMS part at 400 Hz."""

    accelerometer_bias: float = setting(
        0.08, "standard deviation of the constant bias", unit="m/s²", low=0.0, high=5.0
    )
    gyro_bias: float = setting(
        0.006, "standard deviation of the constant bias", unit="rad/s", low=0.0, high=1.0
    )
    accelerometer_noise: float = setting(
        0.03, "standard deviation of a sample's noise", unit="m/s²", low=0.0, high=5.0
    )
    gyro_noise: float = setting(
        0.003, "standard deviation of a sample's noise", unit="rad/s", low=0.0, high=1.0
    )
    accelerometer_walk: float = setting(
        0.002, "walk of the bias in one second", unit="m/s²", low=0.0, high=1.0
    )
    gyro_walk: float = setting(
        0.0002, "walk of the bias in one second", unit="rad/s", low=0.0, high=1.0
    )
    vibration: float = setting(
        0.4, "amplitude of the gears' vibration at 1 rad/s", unit="m/s²", low=0.0, high=20.0
    )
    accelerometer_range: float = setting(
        78.5, "largest value it can give", unit="m/s²", low=10.0, high=1000.0
    )
    gyro_range: float = setting(
        17.5, "largest value it can give", unit="rad/s", low=1.0, high=100.0
    )

    def __post_init__(self) -> None:
        validate(self, "imu")


FILTER_STEPS = 2
"""A sample is the mean of this many physics steps, 2.5 ms: its low-pass filter."""
GEAR = 200.0
"""Vibrations per turn of a joint: two per turn of the motor of a harmonic drive of 1 : 100."""


class Imu:
    """Reads the IMU of a cell; `follow` every step, `read` when a sample is due."""

    def __init__(self, cell: Cell, settings: ImuSettings, rng: np.random.Generator) -> None:
        self._cell, self._rng = cell, rng
        s = settings
        self._noise = np.repeat([s.accelerometer_noise, s.gyro_noise], 3)
        self._walk = np.repeat([s.accelerometer_walk, s.gyro_walk], 3)
        self._range = np.repeat([s.accelerometer_range, s.gyro_range], 3)
        self._bias = np.repeat([s.accelerometer_bias, s.gyro_bias], 3) * rng.normal(size=6)
        # Each joint shakes the wrist in a direction of its own, with two harmonics.
        self._shake = s.vibration * rng.normal(size=(2, len(JOINTS), 6)) / np.sqrt(len(JOINTS))
        self._shake[:, :, 3:] *= 0.02  # rad/s of rotation per m/s² of shaking
        self._shake[1] *= 0.4
        self._phase = rng.uniform(0.0, 2 * np.pi, (2, len(JOINTS), 1))
        model = cell.model
        self._joints = [model.joint(f"joint_{n}").qposadr[0] for n in range(1, len(JOINTS) + 1)]
        self._speeds = [model.joint(f"joint_{n}").dofadr[0] for n in range(1, len(JOINTS) + 1)]
        self._recent = deque([cell.data.sensordata[:6].copy()], maxlen=FILTER_STEPS)
        self._last_s = cell.time_s

    def follow(self) -> None:
        """Take in one physics step."""
        self._recent.append(self._cell.data.sensordata[:6].copy())

    def read(self) -> np.ndarray:
        """A sample `(6,) float32`: specific force in m/s², angular rate in rad/s."""
        true, data = np.mean(self._recent, axis=0), self._cell.data
        angle = GEAR * data.qpos[self._joints][:, None] * np.array([1.0, 2.0])[:, None, None]
        speed = np.abs(data.qvel[self._speeds])[:, None]
        vibration = (self._shake * speed * np.sin(angle + self._phase)).sum(axis=(0, 1))
        passed_s, self._last_s = self._cell.time_s - self._last_s, self._cell.time_s
        self._bias = self._bias + self._walk * np.sqrt(passed_s) * self._rng.normal(size=6)
        value = true + self._bias + vibration + self._noise * self._rng.normal(size=6)
        return np.clip(value, -self._range, self._range).astype(np.float32)
