"""Tracks on a grid of a fixed rate, without aliases and without inventing what a gap hides."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.inertial.track import Track

ORDER = 5
FASTER = 1.1
"""From this ratio of rates on a stream is low-passed: two clocks of one nominal rate differ."""


@dataclass(frozen=True)
class Resampling:
    """How tracks are brought to one rate."""

    rate_hz: float = setting(50.0, "Rate of the grid.", unit="Hz", low=1.0, high=2000.0)
    cutoff_hz: float = setting(
        25.0,
        "Where faster streams are low-passed; at most half the rate of the grid.",
        unit="Hz",
        low=0.1,
        high=1000.0,
    )
    longest_gap_s: float = setting(
        0.2, "Longest time without a sample that is interpolated.", unit="s", low=0.001, high=10.0
    )

    def __post_init__(self) -> None:
        validate(self, "resampling")
        if self.cutoff_hz > self.rate_hz / 2:
            raise SettingsError(
                f"got {self.cutoff_hz} Hz",
                where="resampling.cutoff_hz",
                expected=f"at most half of rate_hz, {self.rate_hz / 2} Hz",
            )


def grid(first_ns: int, last_ns: int, rate_hz: float) -> np.ndarray:
    """Times `(T,) int64` from the first to the last one at a fixed rate; empty if last < first."""
    count = int((last_ns - first_ns) * rate_hz / 1e9 + 1e-6) + 1 if last_ns >= first_ns else 0
    times: np.ndarray = first_ns + np.rint(np.arange(count) * 1e9 / rate_hz).astype(np.int64)
    return times


def increasing(times_ns: np.ndarray) -> np.ndarray:
    """Places of the most samples whose stamps increase, `(K,) int64`; others are not used.

    Of samples that share a stamp the first one is taken. A single stamp that is far off, to either
    side, costs its own sample alone.
    """
    kept = np.flatnonzero(np.diff(times_ns, prepend=times_ns[0] - 1) != 0)
    if (np.diff(times_ns[kept]) > 0).all():
        return kept
    # Longest increasing subsequence: of each length, the earliest stamp that ends one.
    ends: list[int] = []
    places: list[int] = []
    before = {}
    for place, time_ns in zip(kept.tolist(), times_ns[kept].tolist(), strict=True):
        length = bisect_left(ends, time_ns)
        if length < len(ends) and ends[length] == time_ns:
            continue
        before[place] = places[length - 1] if length else -1
        ends[length : length + 1], places[length : length + 1] = [time_ns], [place]
    chain = [places[-1]]
    while before[chain[-1]] >= 0:
        chain.append(before[chain[-1]])
    return np.array(chain[::-1])


def pieces(times_ns: np.ndarray, longest_s: float) -> list[np.ndarray]:
    """Places of the samples that are used, piece by piece between gaps."""
    kept = increasing(times_ns)
    return np.split(kept, np.flatnonzero(np.diff(times_ns[kept]) > longest_s * 1e9) + 1)


def gaps(times_ns: np.ndarray, longest_s: float) -> np.ndarray:
    """Times without a sample that are too long: `(G, 2) int64`, last stamp before and first after.

    Args:
        times_ns: `(N,)`, in any order.
        longest_s: What is still no gap.
    """
    found = pieces(times_ns, longest_s)
    spans = [(times_ns[a[-1]], times_ns[b[0]]) for a, b in itertools.pairwise(found)]
    return np.array(spans, np.int64).reshape(-1, 2)


def resample(track: Track, times_ns: np.ndarray, settings: Resampling) -> np.ndarray:
    """Values of a track at the times of a grid.

    A stream that is faster than the grid is low-passed (Butterworth of order 5, forwards and
    backwards, so that nothing is late) and read by a cubic spline; any other is interpolated
    linearly. Pieces between gaps are resampled each by itself.

    Args:
        track: Samples; those that repeat a stamp or go back are left out.
        times_ns: `(T,)`, increasing, at `settings.rate_hz`.
        settings: Rate and limits.

    Returns:
        `(T, C) float64`, NaN before and after the track, and within its gaps.
    """
    times, values = track.times_ns, track.values
    found = np.full((len(times_ns), values.shape[1]), np.nan)
    for piece in pieces(times, settings.longest_gap_s):
        start_ns, end_ns = times[piece[0]], times[piece[-1]]
        inside = (times_ns >= start_ns) & (times_ns <= end_ns)
        if inside.any():
            at_s = (times_ns[inside] - start_ns) / 1e9
            found[inside] = _piece((times[piece] - start_ns) / 1e9, values[piece], at_s, settings)
    return found


def _piece(
    times_s: np.ndarray, values: np.ndarray, at_s: np.ndarray, settings: Resampling
) -> np.ndarray:
    """A piece without gaps `(N,)`, `(N, C)` at times `(T,)`: `(T, C)`."""
    count = len(times_s)
    if count == 1:
        return np.repeat(values, len(at_s), axis=0)
    rate_hz = (count - 1) / times_s[-1]
    if rate_hz < FASTER * settings.rate_hz:
        return _linear(at_s, times_s, values)
    even_s = np.linspace(0.0, times_s[-1], count)
    low_pass = butter(ORDER, settings.cutoff_hz, fs=rate_hz, output="sos")
    padding = min(3 * (ORDER + 1), count - 1)
    smooth = sosfiltfilt(low_pass, _linear(even_s, times_s, values), axis=0, padlen=padding)
    spline: np.ndarray = CubicSpline(even_s, smooth)(at_s)
    return spline


def _linear(at: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(at, times, column) for column in values.T], axis=1)
