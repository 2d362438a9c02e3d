from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.clocks import Clock, ClockSettings


def moments(settings: ClockSettings, count: int, seed: int = 0) -> tuple[np.ndarray, Clock]:
    clock, times = Clock(settings, np.random.default_rng(seed)), []
    for _ in range(count):
        times.append(clock.due_ns)
        clock.advance()
    return np.array(times), clock


def test_a_perfect_clock_ticks_at_its_rate():
    times, clock = moments(ClockSettings(rate_hz=25, rate_error=0, offset_s=0, jitter_s=0,
                                         drops=0), 100)  # fmt: skip
    np.testing.assert_allclose(np.diff(times), 40_000_000, atol=1)
    assert 0 <= times[0] < 40_000_000
    assert clock.stamp_ns == clock.due_ns


def test_errors_are_as_large_as_set():
    settings = ClockSettings(rate_hz=100, rate_error=0.01, offset_s=0.02, jitter_s=0.001, drops=0)
    runs = [moments(settings, 200, seed) for seed in range(60)]
    rates = [199e9 / (times[-1] - times[0]) for times, _ in runs]
    assert np.std(np.array(rates) / 100 - 1) == pytest.approx(0.01, rel=0.3)
    assert np.std([clock.offset_ns for _, clock in runs]) == pytest.approx(0.02e9, rel=0.3)
    grid = np.polyfit(np.arange(200), runs[0][0], 1)
    residual = runs[0][0] - np.polyval(grid, np.arange(200))
    assert np.std(residual) == pytest.approx(0.001e9, rel=0.2)


def test_lost_messages_leave_holes_and_moments_stay_in_order():
    settings = ClockSettings(rate_hz=100, rate_error=0, jitter_s=0.02, drops=0.25)
    times, _ = moments(settings, 2000)
    assert (np.diff(times) > 0).all()
    assert times[-1] / 1e9 == pytest.approx(20 / 0.75, rel=0.05)


def test_a_rate_out_of_range_is_refused():
    with pytest.raises(SettingsError) as error:
        ClockSettings(rate_hz=0.0)
    assert str(error.value) == ("clock.rate_hz: got 0.0; expected a value from 0.1 to 2000.0 Hz")
