"""Finds what is wrong with the samples of a track, and names it: what, where, what is expected.

Limits are ours. They were set so that the watches of imu_activity pass; its phones do not, whose
samples come in bursts that share stamps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from xmodal_ros.data.inertial.stamps import LONGEST_GAP_S, gaps, pieces
from xmodal_ros.data.inertial.track import ACCELERATION, ANGULAR_RATE, Channel, Inertial, Track
from xmodal_ros.data.visual_tactile.example import Problem

PROBLEMS = ("gap", "rate", "units", "stuck", "saturated", "stamps")
"""Kinds that `problems` finds."""
MISLEADING = ("rate", "units", "stuck")
"""Kinds of which nothing right can be learned."""
GRAVITY = 9.81
STEADY = 0.6
"""10th percentile of acceleration's size by its median from which gravity is in it: 0.64 to 0.90
in imu_activity, 0.5 of noise around zero."""
RATE_OFF = 0.2
"""Relative error of the declared rate that is a fault; watches of 100 Hz give 104."""
SHARED = 0.05
"""Share of samples with the stamp of the one before that is a fault; the watches have 0.8 %."""
JITTER = 0.5
"""Deviation of the time between samples that is a fault, in periods; 0.25 on the watches."""
STUCK_S = 1.0
FASTEST = 40.0
"""rad/s that no sensor of a person or robot measures for 1 % of a time: the usual range ends at
35 (2000 deg/s)."""
TOUCHES, IN_A_ROW = 3, 3
"""An axis is saturated if so many times so many samples in a row are exactly its extreme."""
FAR = 2.0
"""Deviations from the median from which an extreme is no resting value of few digits."""
CALM = 0.6
"""Correlation of turning gravity with the angular rate from which both can be compared."""


def problems(track: Track, longest_gap_s: float = LONGEST_GAP_S) -> list[Problem]:
    """Everything that is wrong with a track's samples, empty if nothing is.

    Args:
        track: As it was recorded.
        longest_gap_s: Longest time without a sample that is no gap.
    """
    found = [
        *_stamps(track),
        *_gaps(track, longest_gap_s),
        *_rate(track, longest_gap_s),
        *_gravity(track),
        *_turning(track),
    ]
    for channel, values in zip(track.channels, track.values.T, strict=True):
        found += _stuck(track, channel, values)
        found += _saturated(track, channel, values)
    return found


def screened(data: Inertial) -> Inertial:
    """A data set without the tracks that are misleading; `problems` of the data set names each.

    What else is wrong with a track costs at most single windows.
    """
    kept: list[Track] = []
    left_out: list[Problem] = []
    for track in data.tracks:
        found = [problem for problem in problems(track) if problem.kind in MISLEADING]
        left_out += found
        if not found:
            kept.append(track)
    return replace(data, tracks=tuple(kept), problems=(*data.problems, *left_out))


def _stamps(track: Track) -> Iterator[Problem]:
    """Stamps that go back, repeat or jitter."""
    steps = np.diff(track.times_ns)
    back = np.flatnonzero(steps < 0)
    if len(back):
        text = (
            f"{len(back)} of {len(steps) + 1} stamps go back, first by "
            f"{-steps[back[0]] / 1e9:.3f} s {_at(track, back[0] + 1)}; expected increasing stamps"
        )
        yield Problem("stamps", track.where, text)
    shared = int((steps == 0).sum())
    if shared > SHARED * (len(steps) + 1):
        text = (
            f"{shared} of {len(steps) + 1} stamps repeat the one before; expected at most "
            f"{SHARED:.0%}"
        )
        yield Problem("stamps", track.where, text)
    usual = steps[(steps > 0) & (steps < 10 * track.period_ns)]
    if len(usual) > 2 and usual.std() > JITTER * track.period_ns:
        text = (
            f"the time between samples deviates by {usual.std() / 1e6:.1f} ms from "
            f"{track.period_ns / 1e6:.1f} ms; expected at most {JITTER:.0%} of it"
        )
        yield Problem("stamps", track.where, text)


def _gaps(track: Track, longest_gap_s: float) -> Iterator[Problem]:
    spans = gaps(track.times_ns, longest_gap_s)
    if len(spans):
        lengths_s = (spans[:, 1] - spans[:, 0]) / 1e9
        longest = int(lengths_s.argmax())
        after_s = (spans[longest, 0] - track.times_ns.min()) / 1e9
        text = (
            f"{len(spans)} gaps, the longest of {lengths_s[longest]:.2f} s at {after_s:.2f} s; "
            f"expected at most {longest_gap_s:g} s between samples"
        )
        yield Problem("gap", track.where, text)


def _rate(track: Track, longest_gap_s: float) -> Iterator[Problem]:
    """A rate that is not the declared one; gaps do not count, repeated stamps do."""
    steps_s = np.diff(track.times_ns) / 1e9
    longest_s = max(longest_gap_s, 1.5 * track.period_ns / 1e9)
    steps_s = steps_s[(steps_s >= 0) & (steps_s <= longest_s)]
    if not track.rate_hz or not steps_s.sum() > 0:
        return
    rate_hz = len(steps_s) / steps_s.sum()
    ratio = rate_hz / track.rate_hz
    if abs(ratio - 1) <= RATE_OFF:
        return
    name = next((n for n, r in (("half", 0.5), ("twice", 2.0)) if abs(ratio / r - 1) < 0.1), "")
    told = f", {name} of what is declared" if name else ""
    text = f"{rate_hz:.1f} samples per second{told}; expected {track.rate_hz:g}"
    yield Problem("rate", track.where, text)


def _gravity(track: Track) -> Iterator[Problem]:
    """Acceleration in g or thousandths of it, or without gravity."""
    force = track.vector(ACCELERATION)
    if force is None:
        return
    sizes = np.linalg.norm(force, axis=1)
    size, low = float(np.median(sizes)), float(np.percentile(sizes, 10))
    if 0.5 * GRAVITY <= size <= 2 * GRAVITY:
        return
    steady = low > STEADY * size
    if steady and 0.5 <= size <= 2.0:
        guess = "which is gravity in g"
    elif steady and 500.0 <= size <= 2000.0:
        guess = "which is gravity in thousandths of g"
    elif size < 0.5 * GRAVITY:
        guess = "so gravity is missing"
    else:
        guess = "which is no gravity in any usual unit"
    text = f"{ACCELERATION} has a median size of {size:.3g}, {guess}; expected about 9.81 m/s^2"
    yield Problem("units", track.where, text)


def _turning(track: Track) -> Iterator[Problem]:
    """Angular rate in degrees: too fast for anything, or faster than gravity turns."""
    rate = track.vector(ANGULAR_RATE)
    if rate is None:
        return
    fastest = float(np.percentile(np.linalg.norm(rate, axis=1), 99))
    if fastest > FASTEST:
        text = (
            f"{ANGULAR_RATE} is above {fastest:.0f} for 1 % of the time, as in deg/s; expected "
            f"rad/s, below {FASTEST:g}"
        )
        yield Problem("units", track.where, text)
        return
    slope, correlation = _gravity_per_turn(track, rate)
    if correlation > CALM and 0.3 < slope * 180 / np.pi < 3.0:
        text = (
            f"gravity turns by {slope:.3f} of what {ANGULAR_RATE} says, as in deg/s; expected 1, "
            "in rad/s"
        )
        yield Problem("units", track.where, text)


def _gravity_per_turn(track: Track, rate: np.ndarray) -> tuple[float, float]:
    """How far gravity turns per turn by the angular rate, and how well both agree (correlation).

    Seen from a sensor, a fixed direction a turns by -rate x a. Of 0.2 s at a time, in the longest
    piece without a gap; the change of acceleration by other forces lowers the correlation.
    """
    force = track.vector(ACCELERATION)
    kept = max(pieces(track.times_ns, LONGEST_GAP_S), key=len)
    times_s = (track.times_ns[kept] - track.times_ns[kept[0]]) / 1e9
    even_s = np.arange(0.0, times_s[-1], 0.1)
    if force is None or len(even_s) < 10:
        return 0.0, 0.0
    steps_s = np.diff(times_s)[:, None]
    # Integrals from the start: their differences are means over 0.2 s, whatever the spacing.
    force_sum, rate_sum = (
        np.concatenate([np.zeros((1, 3)), ((v[1:] + v[:-1]) / 2 * steps_s).cumsum(0)])
        for v in (force[kept], rate[kept])
    )
    sums = [
        np.stack([np.interp(even_s, times_s, column) for column in of.T], axis=1)
        for of in (force_sum, rate_sum)
    ]
    means = (sums[0][2:] - sums[0][:-2]) / 0.2  # around even_s[1:-1]
    change = means[2:] - means[:-2]
    turned = sums[1][3:-1] - sums[1][1:-3]  # over the same 0.2 s
    predicted = -np.cross(turned, means[1:-1])
    common, power = (predicted * change).sum(), (predicted**2).sum()
    size = np.sqrt(power * (change**2).sum())
    return (float(common / power), float(common / size)) if size > 0 else (0.0, 0.0)


def _stuck(track: Track, channel: Channel, values: np.ndarray) -> Iterator[Problem]:
    """An axis that does not change while time passes: real ones have noise."""
    first = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    last = np.r_[first[1:], len(values)] - 1
    lasting_s = (track.times_ns[last] - track.times_ns[first]) / 1e9
    longest = int(lasting_s.argmax())
    if lasting_s[longest] >= STUCK_S:
        text = (
            f"{channel.name} is {values[first[longest]]:.4g} {channel.unit} for "
            f"{lasting_s[longest]:.2f} s {_at(track, first[longest])}; expected some noise"
        )
        yield Problem("stuck", track.where, text)


def _saturated(track: Track, channel: Channel, values: np.ndarray) -> Iterator[Problem]:
    """An axis that stays at its extreme again and again."""
    middle = np.median(values)
    deviation = 1.4826 * np.median(np.abs(values - middle))
    for extreme in (values.max(), values.min()):
        if not abs(extreme - middle) > FAR * deviation:
            continue
        edges = np.diff(np.r_[0, values == extreme, 0].astype(np.int8))
        lengths = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
        times = int((lengths >= IN_A_ROW).sum())
        if times >= TOUCHES:
            text = (
                f"{channel.name} stays at its extreme {extreme:.4g} {channel.unit} {times} times, "
                f"{int(lengths.sum())} samples in all; expected a range that it never reaches"
            )
            yield Problem("saturated", track.where, text)


def _at(track: Track, sample: int) -> str:
    return f"at sample {sample}, {(track.times_ns[sample] - track.times_ns[0]) / 1e9:.2f} s"
