"""Bad samples are found and named, each by itself; good ones raise no alarm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial.problems import problems, screened
from xmodal_ros.data.inertial.track import Inertial, Track
from xmodal_ros.data.visual_tactile.example import Problem


def told(track: Track) -> list[tuple[str, str]]:
    return [(problem.kind, problem.what) for problem in problems(track)]


def test_a_good_track(track, change) -> None:
    assert told(track) == []
    assert told(change(rate_hz=0.0)) == []
    assert told(change(slice(0, 1))) == []
    assert told(change(slice(0, 30))) == []


def test_a_sensor_at_rest_is_no_problem(change) -> None:
    """Of 12 bits: a few digits only, so that its extremes repeat."""
    rng = np.random.default_rng(0)
    step = 4 * 9.81 / 2048
    rest = np.array((0.0, 0.0, 9.81, 0.0, 0.0, 0.0)) + rng.normal(0.0, step, (2000, 6))
    assert told(change(values=np.round(rest / step) * step)) == []


def test_gaps(change, track, start_ns) -> None:
    seconds = (track.times_ns - start_ns) / 1e9
    kept = ~((seconds > 5) & (seconds < 5.5)) & ~((seconds > 9) & (seconds < 10.25))
    assert told(change(np.flatnonzero(kept))) == [
        (
            "gap",
            "2 gaps, the longest of 1.25 s at 9.00 s; expected at most 0.1 s between samples",
        )
    ]


def test_half_the_declared_rate(change) -> None:
    assert told(change(slice(0, 2000, 2))) == [
        ("rate", "50.0 samples per second, half of what is declared; expected 100")
    ]


def test_twice_the_declared_rate(change) -> None:
    assert told(change(rate_hz=50.0)) == [
        ("rate", "100.0 samples per second, twice of what is declared; expected 50")
    ]


def test_another_rate(change) -> None:
    assert told(change(rate_hz=70.0)) == [("rate", "100.0 samples per second; expected 70")]


def test_gaps_do_not_count_for_the_rate(change, track, start_ns) -> None:
    seconds = (track.times_ns - start_ns) / 1e9
    assert [kind for kind, _ in told(change(np.flatnonzero(seconds % 2 < 1)))] == ["gap"]


@pytest.mark.parametrize(
    ("scale", "text"),
    [
        (1 / 9.80665, "has a median size of 1, which is gravity in g;"),
        (1e3 / 9.80665, "has a median size of 1e+03, which is gravity in thousandths of g;"),
        (3.3, "has a median size of 32.4, which is no gravity in any usual unit;"),
    ],
)
def test_acceleration_in_other_units(change, track, scale, text) -> None:
    values = track.values * ([scale] * 3 + [1] * 3)
    ((kind, what),) = told(change(values=values))
    assert kind == "units"
    assert what == f"acceleration {text} expected about 9.81 m/s^2"


def test_acceleration_without_gravity(change, track) -> None:
    values = track.values.copy()
    values[:, :3] = np.random.default_rng(0).normal(0.0, 1.0, (2000, 3))
    ((kind, what),) = told(change(values=values))
    assert kind == "units"
    assert "so gravity is missing; expected about 9.81 m/s^2" in what


def test_fast_turning_in_degrees(change, track) -> None:
    values = track.values * ([1] * 3 + [3 * 180 / np.pi] * 3)
    ((kind, what),) = told(change(values=values))
    assert kind == "units"
    assert "as in deg/s; expected rad/s, below 40" in what


def test_slow_turning_in_degrees_is_told_by_how_gravity_turns(change, track) -> None:
    """Too slow for its size to tell: 0.3 of 60 deg/s."""
    slow = change(times_ns=track.times_ns[0] + 4 * (track.times_ns - track.times_ns[0]))
    values = track.values * ([1] * 3 + [180 / np.pi / 4] * 3)
    assert np.linalg.norm(values[:, 3:], axis=1).max() < 40
    ((kind, what),) = told(replace(slow, values=values, rate_hz=25.0))
    assert kind == "units"
    assert what.startswith("gravity turns by 0.01")
    assert what.endswith("of what angular_rate says, as in deg/s; expected 1, in rad/s")
    in_rad = replace(slow, values=track.values * ([1] * 3 + [1 / 4] * 3), rate_hz=25.0)
    assert told(in_rad) == []


def test_swapped_vectors(change, track) -> None:
    swapped = change(values=track.values[:, [3, 4, 5, 0, 1, 2]])
    assert "units" in [kind for kind, _ in told(swapped)]


def test_a_stuck_axis(change, track) -> None:
    values = track.values.copy()
    values[400:700, 4] = 0.25
    assert told(change(values=values)) == [
        (
            "stuck",
            "angular_rate_y is 0.25 rad/s for 2.99 s at sample 400, 4.00 s; expected some noise",
        )
    ]


def test_saturation(change, track) -> None:
    values = track.values.copy()
    values[:, 0] += 40 * (np.sin(np.arange(2000) / 20) > 0.97)
    values[:, 0] = np.minimum(values[:, 0], 19.6)
    ((kind, what),) = told(change(values=values))
    assert kind == "saturated"
    assert what.startswith("acceleration_x stays at its extreme 19.6 m/s^2 16 times, ")
    assert what.endswith("samples in all; expected a range that it never reaches")


def test_a_single_blow_is_no_saturation(change, track) -> None:
    values = track.values.copy()
    values[500:503, 0] = 60.0
    assert told(change(values=values)) == []


def test_stamps_that_go_back(change, track) -> None:
    times_ns = track.times_ns.copy()
    times_ns[900:] -= 100_000_000
    assert told(change(times_ns=times_ns)) == [
        (
            "stamps",
            "1 of 2000 stamps go back, first by 0.090 s at sample 900, 8.90 s; expected "
            "increasing stamps",
        )
    ]


def test_a_stamp_of_zero(change, track) -> None:
    times_ns = track.times_ns.copy()
    times_ns[0] = 0
    assert [kind for kind, _ in told(change(times_ns=times_ns))] == ["gap"]
    times_ns[:] = track.times_ns
    times_ns[1000] = 0
    assert [kind for kind, _ in told(change(times_ns=times_ns))] == ["stamps"]


def test_stamps_that_repeat(change, track) -> None:
    times_ns = track.times_ns.copy()
    times_ns[10::10] = times_ns[9:-1:10]
    assert ("stamps", "199 of 2000 stamps repeat the one before; expected at most 5%") in told(
        change(times_ns=times_ns)
    )


def test_stamps_that_jitter(change, track) -> None:
    late = np.random.default_rng(0).uniform(0, 3e7, 2000).astype(np.int64)
    times_ns = np.sort(track.times_ns + late)
    ((kind, what),) = told(change(times_ns=times_ns))
    assert kind == "stamps"
    assert what.startswith("the time between samples deviates by ")
    assert what.endswith("; expected at most 50% of it")


def test_arrays_that_do_not_fit_are_refused(change, track) -> None:
    with pytest.raises(DataError, match=r"made: 2000 stamps and values \(10, 6\); expected at le"):
        change(values=track.values[:10])
    with pytest.raises(DataError, match="made: a value is NaN or infinite; expected numbers"):
        change(values=np.where(track.values > 8.0, np.nan, track.values))
    with pytest.raises(DataError, match="made: 0 stamps"):
        change(slice(0, 0))


def test_misleading_tracks_are_left_out_and_named(change, tmp_path) -> None:
    good, bursts = change(where="good"), change(where="bursts")
    bursts.times_ns[1::2] = bursts.times_ns[::2]
    degrees = change(where="degrees")
    degrees.values[:, 3:] *= 180 / np.pi
    stuck = change(where="stuck")
    stuck.values[500:800, 1] = 1.0
    half = change(where="half", rate_hz=200.0)
    before = Problem("missing", "elsewhere", "is not there")
    data = Inertial("k", tmp_path, "s", (good, degrees, stuck, bursts, half), (), (before,))
    found = screened(data)
    assert [track.where for track in found.tracks] == ["good", "bursts"]
    assert [(p.kind, p.where) for p in found.problems] == [
        ("missing", "elsewhere"),
        ("units", "degrees"),
        ("stuck", "stuck"),
        ("rate", "half"),
    ]
