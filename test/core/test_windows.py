"""How each window reads a stream, where it is incomplete, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.windows import Clip, Resampled

MS = 1_000_000
PAIR = {"tactile": {}, "imu": {"tolerance_s": 0.02}}
WINDOW = {"imu": Resampled(3, 100.0)}


def ramp(t: float) -> np.ndarray:
    return (t + 100 * np.arange(6)).astype(np.float32)


def test_a_window_ends_at_the_anchor_and_interpolates(timeline):
    line = timeline(PAIR, WINDOW)
    for t in (975, 985, 995, 1005):
        line.push("imu", t, ramp(t))
    (observation,) = line.push("tactile", 1000)
    imu = observation.streams["imu"]
    np.testing.assert_allclose(imu.data, [ramp(980), ramp(990), ramp(1000)])
    assert imu.stamps_ns == (975 * MS, 1005 * MS)
    assert imu.age_ns == -5 * MS


def test_a_window_waits_for_a_sample_at_or_after_the_anchor(timeline):
    line = timeline(PAIR, WINDOW)
    for t in range(900, 1000, 10):
        line.push("imu", t)
    assert line.push("tactile", 1000) == []
    assert len(line.push("imu", 1000)) == 1


def test_at_the_deadline_a_window_holds_its_last_value(timeline):
    line = timeline(PAIR, WINDOW, timeout_s=0.1)
    for t in (970, 980, 990):
        line.push("imu", t, ramp(t))
    line.push("tactile", 1000)
    (observation,) = line.poll(1100)
    imu = observation.streams["imu"]
    np.testing.assert_allclose(imu.data, [ramp(980), ramp(990), ramp(990)])
    assert imu.age_ns == 10 * MS


def test_a_window_whose_last_sample_is_out_of_tolerance_is_missing(timeline):
    line = timeline(PAIR, WINDOW, timeout_s=0.1)
    line.play(("imu", 960), ("imu", 970), ("imu", 979), ("tactile", 1000))
    assert line.poll(1100)[0].missing == {"imu": "skew"}


def test_a_window_without_enough_history_is_missing(timeline):
    line = timeline(PAIR, WINDOW)
    (observation,) = line.play(("imu", 981), ("imu", 991), ("tactile", 1000), ("imu", 1001))
    assert observation.missing == {"imu": "history"}


def test_once_a_second_is_real_the_first_value_is_held_backwards(timeline):
    line = timeline(PAIR, {"imu": Resampled(301, 100.0)})
    sets = []
    for t in range(1000, 2020, 10):
        line.push("imu", t, ramp(t))
        sets += line.push("tactile", t)
    assert [o.missing.get("imu") for o in sets[-4:]] == ["history", "history", None, None]
    held = sets[-2].streams["imu"]
    np.testing.assert_allclose(held.data[:201], np.tile(ramp(1000), (201, 1)))
    np.testing.assert_allclose(held.data[200:, 0], np.arange(1000, 2010, 10))
    assert held.stamps_ns == (1000 * MS, 2000 * MS)


def test_what_is_older_than_a_hole_is_not_used(timeline):
    line = timeline(PAIR, {"imu": Resampled(301, 100.0)})
    sets = []
    for t in [*range(1000, 4000, 10), *range(4500, 5520, 10)]:
        line.push("imu", t, ramp(t))
        sets += line.push("tactile", t)
    reasons = [o.missing.get("imu") for o in sets]
    assert reasons[299] is None
    assert reasons[300:400] == ["gap"] * 100
    assert reasons[400:] == [None] * 2
    assert sets[-1].streams["imu"].stamps_ns == (4500 * MS, 5510 * MS)
    np.testing.assert_allclose(sets[-1].streams["imu"].data[0], ramp(4500))


def test_a_hole_in_a_window_is_a_gap_beyond_twice_the_tolerance(timeline):
    line = timeline(PAIR, WINDOW)
    (observation,) = line.play(("imu", 970), ("tactile", 1000), ("imu", 1011))
    assert observation.missing == {"imu": "gap"}
    line = timeline(PAIR, WINDOW)
    (observation,) = line.play(("imu", 970), ("tactile", 1000), ("imu", 1010))
    assert observation.missing == {}


def test_a_window_of_one_sample(timeline):
    line = timeline(PAIR, {"imu": Resampled(1, 100.0)})
    line.push("imu", 1000, ramp(1000))
    (observation,) = line.push("tactile", 1000)
    np.testing.assert_array_equal(observation.streams["imu"].data, [ramp(1000)])


def test_a_window_keeps_what_later_anchors_need(timeline):
    line = timeline(PAIR, {"imu": Resampled(50, 100.0)})
    sets = []
    for t in range(1000, 3000, 10):
        line.push("imu", t, ramp(t))
        sets += line.push("tactile", t)
    complete = [o for o in sets if not o.missing]
    assert len(complete) == len(sets) - 49
    for o in complete:
        end = o.stamp_ns / MS
        np.testing.assert_allclose(o.streams["imu"].data[:, 0], np.arange(end - 490, end + 1, 10))


def test_nearest_gives_an_imu_window_and_a_clip_of_one(timeline):
    line = timeline({"tactile": {}, "imu": {}, "camera": {}, "lidar": {}})
    line.play(("imu", 1000), ("camera", 1000), ("lidar", 1000))
    (observation,) = line.push("tactile", 1000)
    shapes = {name: data.data.shape for name, data in observation.streams.items()}
    assert len(observation.streams["tactile"].frames) == 1
    assert shapes == {
        "tactile": (2, 2, 3),
        "imu": (1, 6),
        "camera": (2, 2, 3),
        "lidar": (1, 4),
    }


def test_a_clip_after_a_hole_does_not_mix_in_images_from_before_it(timeline):
    line = timeline({"tactile": {"tolerance_s": 0.01}}, {"tactile": Clip(3, 0.04)})
    line.play(("tactile", 1000), ("tactile", 1040))
    (observation,) = line.push("tactile", 5000)
    assert observation.streams["tactile"].stamps_ns == (5000 * MS,) * 3


def test_a_lost_image_is_repeated_by_the_next_and_older_ones_stay(timeline):
    line = timeline({"tactile": {"tolerance_s": 0.01}}, {"tactile": Clip(3, 0.04)})
    line.push("tactile", 1000)
    (observation,) = line.push("tactile", 1080)
    assert [t // MS for t in observation.streams["tactile"].stamps_ns] == [1000, 1080, 1080]


def test_a_clip_starts_anew_where_the_image_size_changes(timeline):
    line = timeline({"tactile": {}}, {"tactile": Clip(2, 0.04)})
    line.push("tactile", 1000)
    (observation,) = line.push("tactile", 1040, np.zeros((4, 6, 3), np.uint8))
    assert [f.shape for f in observation.streams["tactile"].frames] == [(4, 6, 3)] * 2
    assert observation.streams["tactile"].stamps_ns == (1040 * MS,) * 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clip(0, 0.1), "window: got Clip.* expected frames >= 1 and spacing_s > 0"),
        (lambda: Clip(2, 0.0), "window: got Clip"),
        (lambda: Resampled(0, 50.0), "window: got Resampled.* samples >= 1 and rate_hz > 0"),
        (lambda: Resampled(8, float("nan")), "window: got Resampled"),
        (
            lambda: Resampled(1025, 50.0, True),
            "window: got Resam.*; expected samples <= 1024 with",
        ),
    ],
)
def test_impossible_windows_are_refused(make, message):
    with pytest.raises(SettingsError, match=message):
        make()


def test_a_long_window_of_messages_out_of_order_is_what_numpy_interpolates(timeline):
    rng = np.random.default_rng(0)
    times = 1000 + np.cumsum(rng.uniform(1, 4, 2000))
    values = rng.normal(size=(2000, 6)).astype(np.float32)
    line = timeline({"tactile": {}, "imu": {}}, {"imu": Resampled(100, 50.0)}, timeout_s=0.1)
    sets = []
    for k in np.argsort(np.arange(2000) + rng.uniform(0, 5, 2000)):
        line.push("imu", times[k], values[k], now_ms=times.max())
        if k % 100 == 50:
            sets += line.push("tactile", round(times[k]) - 20, now_ms=times.max())
    for o in (o for o in sets if not o.missing):
        grid = o.stamp_ns / MS + np.arange(-99, 1) * 20
        expected = [np.interp(grid, times, values[:, axis]) for axis in range(6)]
        np.testing.assert_allclose(o.streams["imu"].data, np.transpose(expected), atol=1e-4)
    assert sum(not o.missing for o in sets) >= 10
