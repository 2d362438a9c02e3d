"""One stream of one recording beside its reference: windows of both, and what they share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import signal

from xmodal_ros.core.types import Modality
from xmodal_ros.data.time_offsets.motion import Motion

WINDOW_S = 3.0
SLOWEST_HZ = 0.3
"""Slower motion is left out: the IMU's integrated errors are there."""
FASTEST_HZ = 50.0
"""Of two IMUs: more samples say nothing more of an arm."""
LEAST_HZ = 4.0
"""Messages per second that are needed to see an arm's motion."""
DRIFT_HZ = 0.2
"""What is slower in an integral of acceleration is mostly tilt and bias."""
RIDGE = 0.01
"""Share of a stream's variance that is taken for noise: a window in which less moves says nothing.
"""


class Aligned(NamedTuple):
    """The combinations of channels of both that are most alike, in one window: each (T,)."""

    times_s: np.ndarray
    stream: np.ndarray
    reference: np.ndarray
    """At the best lag."""
    before: np.ndarray
    """As the stamps have it."""


class Pair:
    """Windows of a stream, and those of its reference at any lag.

    Args:
        stream: What is compared, `LEAST_HZ` or faster.
        reference: With what.
        most_s: Largest lag that will be asked for.
    """

    def __init__(self, stream: Motion, reference: Motion, most_s: float) -> None:
        begin_ns = reference.times_ns[0]
        self._at_s = (reference.times_ns - begin_ns) / 1e9
        self._summed = _summed(reference, stream.modality)
        step = max(1, round(stream.rate_hz / FASTEST_HZ))
        times_s = (stream.times_ns[::step] - begin_ns) / 1e9
        summed = _summed(stream, stream.modality)[::step]
        inside = (times_s - most_s >= 0) & (times_s + most_s <= self._at_s[-1])
        self._times_s = times_s[inside]
        rate_hz = stream.rate_hz / step
        self._filter = signal.butter(2, SLOWEST_HZ, "highpass", fs=rate_hz, output="sos")
        self._length = round(WINDOW_S * rate_hz)
        self.stream = self._windows(summed[inside])
        """Motion in each interval between messages. Shape: (W, T, C)."""

    def reference(self, lag_s: float) -> np.ndarray:
        """The reference's motion in the stream's intervals. Shape: (W, T, D)."""
        at = self._times_s + lag_s
        return self._windows(
            np.stack([np.interp(at, self._at_s, channel) for channel in self._summed.T], axis=1)
        )

    def information(self, lags_s: np.ndarray) -> np.ndarray:
        """What both share, nats per sample. Shape: (W, L)."""
        if not len(self.stream):
            return np.zeros((0, len(lags_s)))
        return np.stack([_shared(self.stream, self.reference(lag)) for lag in lags_s], axis=1)

    def aligned(self, window: int, lag_s: float) -> Aligned:
        """Both in one window, as the pair of combinations that is most alike."""
        one, other = self.stream[window], self.reference(lag_s)[window]
        left, right = _whitening(one), _whitening(other)
        u, _, v = np.linalg.svd(left.T @ one.T @ other @ right)
        to_other = right @ v[0]
        start = window * self._length
        return Aligned(
            self._times_s[start + 1 : start + 1 + self._length],
            one @ left @ u[:, 0],
            other @ to_other,
            self.reference(0.0)[window] @ to_other,
        )

    def _windows(self, summed: np.ndarray) -> np.ndarray:
        """Steps without what is slow, of equal variance, cut into windows of mean 0.

        Args:
            summed: Motion up to each of the stream's times. Shape: (N, C).

        Returns:
            Shape: (W, T, C).
        """
        steps, count = np.diff(summed, axis=0), (len(summed) - 1) // self._length
        if count <= 0:
            return np.zeros((0, self._length, summed.shape[1]))
        steps = signal.sosfiltfilt(self._filter, steps, axis=0)
        steps = steps / np.maximum(steps.std(axis=0), 1e-12)
        cut = steps[: count * self._length].reshape(count, self._length, -1)
        found: np.ndarray = cut - cut.mean(axis=1, keepdims=True)
        return found


def _summed(motion: Motion, like: Modality) -> np.ndarray:
    """Motion summed up to each time, such as a position. Shape: (N, C).

    Args:
        motion: Of one stream.
        like: What it is compared with. Acceleration moves what a gel holds, velocity a camera's
            picture; how much there is of either, without direction, goes with both.
    """
    if motion.modality is not Modality.IMU:
        return np.cumsum(motion.values, axis=0)
    times_s = (motion.times_ns - motion.times_ns[0]) / 1e9
    values = motion.values - motion.values.mean(axis=0)
    force, rate = values[:, :3], values[:, 3:]
    if like is Modality.TACTILE:
        jerk = np.diff(force, axis=0, prepend=force[:1])
        return np.column_stack([force, np.linalg.norm(jerk, axis=1).cumsum()])
    drift = signal.butter(1, DRIFT_HZ, "highpass", fs=motion.rate_hz, output="sos")
    velocity = signal.sosfiltfilt(drift, _integral(times_s, force), axis=0)
    speed = np.linalg.norm(velocity, axis=1, keepdims=True)
    return _integral(times_s, np.column_stack([velocity, rate, speed]))


def _integral(times_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    steps = (values[1:] + values[:-1]) / 2 * np.diff(times_s)[:, None]
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(steps, axis=0)])


def _shared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mutual information per window, nats per sample: (W, T, C), (W, T, D) to (W,)."""
    both = np.concatenate([one, other], axis=2)
    covariance = _covariance(both)
    channels = one.shape[2]
    determinants = [
        np.linalg.slogdet(part)[1]
        for part in (
            covariance[:, :channels, :channels],
            covariance[:, channels:, channels:],
            covariance,
        )
    ]
    found: np.ndarray = (determinants[0] + determinants[1] - determinants[2]) / 2
    return found


def _covariance(windows: np.ndarray) -> np.ndarray:
    """Of channels of variance 1 in the whole recording, with the ridge."""
    found = windows.swapaxes(-1, -2) @ windows / windows.shape[-2]
    ridged: np.ndarray = found + RIDGE * np.eye(windows.shape[-1])
    return ridged


def _whitening(window: np.ndarray) -> np.ndarray:
    """What makes the channels of one window (T, C) uncorrelated, of variance 1: (C, C)."""
    values, vectors = np.linalg.eigh(_covariance(window))
    found: np.ndarray = vectors / np.sqrt(values)
    return found
