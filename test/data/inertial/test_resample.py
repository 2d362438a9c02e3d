"""Resampling: what passes, what is taken away, and what is never invented."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.inertial.resample import Resampling, gaps, grid, increasing, resample

HZ50 = Resampling()


def tone(hz: float, times_ns: np.ndarray, start_ns: int) -> np.ndarray:
    return np.sin(2 * np.pi * hz * (times_ns - start_ns)[:, None] / 1e9) * np.ones(6)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 104.3, 30.0])
def test_a_grid_ends_with_the_last_time_it_can(start_ns, rate_hz) -> None:
    last_ns = start_ns + 10**10
    times = grid(start_ns, last_ns, rate_hz)
    assert times[0] == start_ns
    assert last_ns - 1e9 / rate_hz < times[-1] <= last_ns
    np.testing.assert_allclose(times - start_ns, np.arange(len(times)) * 1e9 / rate_hz, atol=1)


def test_a_grid_of_nothing_is_empty(start_ns) -> None:
    assert grid(start_ns, start_ns - 1, 50.0).shape == (0,)
    assert grid(start_ns, start_ns, 50.0).tolist() == [start_ns]


@pytest.mark.parametrize("hz", [1.0, 5.0, 12.0])
def test_motion_passes_without_delay(change, track, start_ns, hz) -> None:
    times = grid(start_ns, track.times_ns[-1], 50.0)
    found = resample(change(values=tone(hz, track.times_ns, start_ns)), times, HZ50)
    inner = slice(25, -25)  # a filter knows nothing of what was before and after
    np.testing.assert_allclose(found[inner], tone(hz, times, start_ns)[inner], atol=0.01)


def test_no_aliases(change, track, start_ns) -> None:
    """42 Hz would appear as 8 Hz in samples of 50 Hz."""
    times = grid(start_ns, track.times_ns[-1], 50.0)
    found = resample(change(values=tone(42.0, track.times_ns, start_ns)), times, HZ50)
    assert np.abs(tone(42.0, times, start_ns)).max() > 0.9
    assert np.abs(found[25:-25]).max() < 0.01


def test_half_of_the_amplitude_is_left_at_the_cutoff(change, track, start_ns) -> None:
    """A Butterworth filter has -3 dB there; it runs forwards and backwards."""
    settings = Resampling(rate_hz=50.0, cutoff_hz=10.0)
    times = grid(start_ns, track.times_ns[-1], 50.0)
    found = resample(change(values=tone(10.0, track.times_ns, start_ns)), times, settings)
    assert np.sqrt(2) * found[100:-100].std() == pytest.approx(0.5, abs=0.01)


def test_a_slower_stream_is_interpolated_linearly(change, start_ns) -> None:
    slow = change(slice(0, 2000, 4))  # 25 Hz
    times = grid(start_ns, slow.times_ns[-1], 50.0)
    found = resample(slow, times, HZ50)
    np.testing.assert_array_equal(found[::2], slow.values)
    np.testing.assert_allclose(found[1::2], (slow.values[1:] + slow.values[:-1]) / 2, atol=1e-12)


def test_irregular_samples(change, track, start_ns) -> None:
    rng = np.random.default_rng(0)
    times_ns = track.times_ns + rng.integers(-3_000_000, 3_000_000, len(track.times_ns))
    uneven = change(times_ns=times_ns, values=tone(3.0, times_ns, start_ns))
    times = grid(start_ns + 10**9, start_ns + 19 * 10**9, 50.0)
    np.testing.assert_allclose(
        resample(uneven, times, HZ50), tone(3.0, times, start_ns), atol=0.02
    )


def test_nothing_is_invented_in_a_gap_or_outside(change, track, start_ns) -> None:
    """0.25 s are missing from 5.00 s on, 0.15 s from 10.00 s on; up to 0.2 s are interpolated."""
    seconds = (track.times_ns - start_ns) / 1e9
    kept = ~((seconds > 5.0) & (seconds < 5.25)) & ~((seconds > 10.0) & (seconds < 10.15))
    holed = change(np.flatnonzero(kept))
    times = grid(start_ns - 10**8, track.times_ns[-1] + 10**8, 50.0)
    at_s = (times - start_ns) / 1e9
    missing = np.isnan(resample(holed, times, HZ50)).any(1)
    expected = (at_s < 0) | (at_s > 19.99) | ((at_s > 5.0) & (at_s < 5.25))
    np.testing.assert_array_equal(missing, expected)
    assert [tuple(span) for span in gaps(holed.times_ns, 0.2) - start_ns] == [
        (5_000_000_000, 5_250_000_000)
    ]


def test_a_gap_does_not_ring(change, track, start_ns) -> None:
    """A step across a gap leaves both of its sides as they were."""
    seconds = (track.times_ns - start_ns) / 1e9
    step = np.where(seconds < 8.0, 1.0, -1.0)[:, None] * np.ones(6)
    kept = np.flatnonzero((seconds <= 8.0) | (seconds >= 9.0))
    holed = change(kept, values=step[kept])
    holed.values[seconds[kept] == 8.0] = 1.0
    times = grid(start_ns, track.times_ns[-1], 50.0)
    found = resample(holed, times, HZ50)
    at_s = (times - start_ns) / 1e9
    np.testing.assert_allclose(found[at_s <= 8.0], 1.0, atol=1e-9)
    np.testing.assert_allclose(found[at_s >= 9.0], -1.0, atol=1e-9)


def test_stamps_that_repeat_or_go_back_are_not_used(change, track, start_ns) -> None:
    times_ns = track.times_ns.copy()
    times_ns[500], times_ns[700] = times_ns[499], times_ns[690]
    values = track.values.copy()
    values[[500, 700]] = 1e6
    np.testing.assert_array_equal(np.setdiff1d(range(2000), increasing(times_ns)), [500, 700])
    times = grid(start_ns, track.times_ns[-1], 50.0)
    found = resample(change(times_ns=times_ns, values=values), times, HZ50)
    assert np.abs(found).max() < 20.0


@pytest.mark.parametrize(
    ("stamps", "kept"),
    [
        ([1, 2, 9, 3, 4], [0, 1, 3, 4]),  # one far ahead costs itself alone
        ([1, 2, 3, 0, 4], [0, 1, 2, 4]),
        ([5, 6, 7, 8, 1, 2, 3], [0, 1, 2, 3]),  # a clock that was set back: the longer part
        ([5, 6, 1, 2, 3, 4], [2, 3, 4, 5]),
        ([1, 3, 2, 2, 4], [0, 2, 4]),
        ([7, 7, 7], [0]),
        ([7], [0]),
    ],
)
def test_the_most_samples_whose_stamps_increase(stamps, kept) -> None:
    found = increasing(np.array(stamps))
    assert len(found) == len(kept)
    assert (np.diff(np.array(stamps)[found]) > 0).all()
    if stamps != [1, 3, 2, 2, 4]:  # where there is more than one answer
        assert found.tolist() == kept


def test_a_single_sample_between_gaps(change, start_ns) -> None:
    lonely = change(np.array([0, 100, 200]))
    times = grid(start_ns, lonely.times_ns[-1], 50.0)
    found = resample(lonely, times, HZ50)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(found[:, 0])), [0, 50, 100])
    np.testing.assert_array_equal(found[[0, 50, 100]], lonely.values)


def test_a_cutoff_that_lets_aliases_through_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"cutoff_hz: got 25\.0 Hz; expected at most half of"):
        Resampling(rate_hz=40.0)
