"""Resampling to a grid: what passes, what is taken away, and what it reads."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.resample import CUTOFF, interpolate, lowpass

PERIOD = 20_000_000
"""Of a grid of 50 Hz, ns."""
INNER = slice(4, -4)
"""Values whose kernel lies within the window."""


def stamps(rate_hz: float, seconds: float = 2.0) -> np.ndarray:
    """Stamps that end 3 ms after 0, ns."""
    count = int(seconds * rate_hz)
    return 3_000_000 + np.rint(np.arange(-count, 1) * 1e9 / rate_hz).astype(np.int64)


def tone(hz: float, times: np.ndarray) -> np.ndarray:
    """Sine and cosine of 1 `(2, N)`."""
    angles = 2 * np.pi * hz * times / 1e9
    return np.stack([np.sin(angles), np.cos(angles)])


GRID = np.arange(-49, 1) * PERIOD


@pytest.mark.parametrize("rate_hz", [100.0, 104.3, 400.0, 1000.0])
@pytest.mark.parametrize("hz", [1.0, 5.0, 8.0])
def test_motion_passes_without_delay(rate_hz, hz) -> None:
    times = stamps(rate_hz)
    found = lowpass(times, tone(hz, times), 50, PERIOD)
    np.testing.assert_allclose(found[:, INNER], tone(hz, GRID)[:, INNER], atol=0.03)


@pytest.mark.parametrize(
    ("rate_hz", "hz"), [(100.0, 32.0), (100.0, 42.0), (400.0, 49.0), (400.0, 110.0)]
)
def test_what_is_too_fast_does_not_appear_as_slow_motion(rate_hz, hz) -> None:
    """42 Hz would appear as 8 Hz in samples of 50 Hz."""
    times = stamps(rate_hz)
    assert np.abs(interpolate(times, tone(hz, times), GRID)).max() > 0.4
    assert np.abs(lowpass(times, tone(hz, times), 50, PERIOD)[:, INNER]).max() < 0.01


def test_vibration_at_any_multiple_of_the_finer_grid_is_gone() -> None:
    times = stamps(1000.0)
    for hz in (195.0, 200.0, 400.0):
        assert np.abs(lowpass(times, tone(hz, times), 50, PERIOD)[:, INNER]).max() < 0.03


def test_half_of_the_amplitude_is_left_at_the_cutoff() -> None:
    times = stamps(1000.0)
    found = lowpass(times, tone(CUTOFF * 50.0, times), 50, PERIOD)
    np.testing.assert_allclose(np.hypot(*found[:, INNER]), 0.5, atol=0.02)


def test_a_constant_stays_whatever_the_stamps() -> None:
    rng = np.random.default_rng(0)
    times = np.unique(rng.integers(-(10**9), 10**7, 60))
    found = lowpass(times, np.full((6, times.size), 9.81, np.float32), 50, PERIOD)
    np.testing.assert_allclose(found, 9.81, rtol=1e-6)


def test_stamps_that_jitter_and_come_in_bursts() -> None:
    """Each sample is of its own stamp, so a burst weighs no more than the time that it covers."""
    rng = np.random.default_rng(0)
    times = stamps(400.0)
    jittered = np.unique(times + rng.integers(-1_000_000, 1_000_000, times.size))
    bursts = jittered[(jittered // 30_000_000) % 2 == 0]  # half of the time, 30 ms each
    for kept, tolerance in ((jittered, 0.02), (bursts, 0.12)):
        found = lowpass(kept, tone(3.0, kept), 50, PERIOD)
        np.testing.assert_allclose(found[:, INNER], tone(3.0, GRID)[:, INNER], atol=tolerance)


def test_a_stream_slower_than_the_grid_is_its_interpolation_smoothed() -> None:
    times = stamps(25.0)
    found = lowpass(times, tone(2.0, times), 50, PERIOD)
    np.testing.assert_allclose(found[:, INNER], tone(2.0, GRID)[:, INNER], atol=0.04)


def test_it_is_the_mean_of_the_interpolation_under_the_kernel() -> None:
    """Against sums over a grid of 0.1 ms, with the kernel of a windowed sinc."""
    rng = np.random.default_rng(0)
    times = np.unique(rng.integers(-1_100_000_000, 5_000_000, 150))
    values = rng.normal(size=(6, times.size))
    fine = (np.arange(-10_000, 50) + 0.5) * 1e5
    dense = np.stack([np.interp(fine, times, row) for row in values])
    for value in (20, 30):
        cells = np.arange(-16, 17) / 4
        weights = np.sinc(0.8 * cells) * np.cos(np.pi * cells / 8) ** 2
        expected = 0.0
        for periods, weight in zip(cells, weights / weights.sum(), strict=True):
            centre = (value - 49 + periods) * PERIOD
            inside = np.abs(fine - centre) < PERIOD / 8
            expected = expected + weight * dense[:, inside].mean(axis=1)
        found = lowpass(times, values, 50, PERIOD)[:, value]
        np.testing.assert_allclose(found, expected, atol=5e-3)


def test_the_ends_are_held() -> None:
    times = np.array([-400_000_000, -200_000_000])
    values = np.array([[1.0, 3.0]])
    np.testing.assert_allclose(lowpass(times, values, 50, PERIOD)[0, [0, 20, -1]], [1.0, 1.0, 3.0])
    np.testing.assert_allclose(interpolate(times, values, GRID)[0, [0, 20, -1]], [1.0, 1.0, 3.0])
