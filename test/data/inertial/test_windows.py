"""Windows: where they lie, what they are called, what is absent, and which are invalid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xmodal_ros.core.settings import StreamSettings, SyncSettings
from xmodal_ros.core.sync import Synchronizer
from xmodal_ros.core.types import Sample
from xmodal_ros.core.windows import Resampled
from xmodal_ros.data.inertial.track import ORIENTATION, channels
from xmodal_ros.data.inertial.windows import SIX, TWELVE, Windowing, cut, majority
from xmodal_ros.data.labels import Interval

S = 10**9


@pytest.fixture
def labelled(change, start_ns):
    """Walking for 4.25 s, nothing for 1 s, then sitting."""
    return change(
        labels=(
            Interval(start_ns, start_ns + 4_250_000_000, "walk"),
            Interval(start_ns + 5_250_000_000, start_ns + 20 * S, "sit"),
        )
    )


def test_windows_by_time(labelled, start_ns) -> None:
    windows = cut([labelled])
    assert len(windows) == 39  # (19.98 - 0.98) / 0.5, and the first one
    assert [(w.start_ns - start_ns) % (S // 2) for w in windows] == [0] * 39
    assert {w.end_ns - w.start_ns for w in windows} == {S}
    assert windows[3].values.shape == (50, 6)
    assert windows[3].values.dtype == np.float32
    first = windows[0]
    assert (first.session, first.subject, first.part) == ("session", "anna", "train")
    assert first.present.tolist() == [True, True]


@pytest.mark.parametrize("samples", [50, 128])
@pytest.mark.parametrize("lowpass", [False, True])
@pytest.mark.parametrize("wrong", [False, True])
def test_windows_are_bit_equal_to_what_a_node_reads(
    change, track, samples, lowpass, wrong
) -> None:
    """Also of stamps that jitter, repeat and leave holes of 0.08 s."""
    rng = np.random.default_rng(0)
    times_ns = track.times_ns + rng.integers(-4_000_000, 4_000_000, 2000)
    if wrong:
        times_ns[500:508] = times_ns[500]
        times_ns[900] = times_ns[899]
    track = change(times_ns=times_ns)
    window = Resampled(samples, 50.0, lowpass)
    offline = cut([track], window, windowing=Windowing(stride_s=0.37))
    streams = [
        StreamSettings(name="anchor", modality="camera"),
        StreamSettings(name="imu", modality="imu"),
    ]
    messages = [
        ("imu", Sample(int(at), "", row))
        for at, row in zip(times_ns, track.values.astype(np.float32), strict=True)
    ]
    blank = np.zeros((2, 2, 3), np.uint8)
    messages += [("anchor", Sample(w.end_ns - 20_000_000, "", blank)) for w in offline]
    messages.sort(key=lambda pair: pair[1].stamp_ns)
    sync = Synchronizer(streams, {"imu": window}, SyncSettings(), "anchor")
    sets = [o for name, s in messages for o in sync.push(name, s, s.stamp_ns)] + sync.flush()
    assert len(sets) == len(offline) > 40
    for one, other in zip(sets, offline, strict=True):
        assert one.streams["imu"].data.tobytes() == other.values.tobytes()


def test_a_window_does_not_know_what_comes_after_it(change, track) -> None:
    before = cut([track])
    values = track.values.copy()
    values[1000:] = 1e6
    after = cut([change(values=values)])
    ended = [k for k, w in enumerate(before) if w.end_ns - 20_000_000 <= track.times_ns[999]]
    assert len(ended) == 19
    for k in ended:
        np.testing.assert_array_equal(before[k].values, after[k].values)


def test_one_rate_for_all_or_aliases_if_they_are_wanted(change, track, start_ns) -> None:
    fast = np.sin(2 * np.pi * 42.0 * (track.times_ns - start_ns)[:, None] / 1e9) * np.ones(6)
    clean, aliased = (
        cut([change(values=fast)], Resampled(50, 50.0, lowpass))[5].values
        for lowpass in (True, False)
    )
    assert np.abs(clean[4:-4]).max() < 0.01
    assert np.abs(aliased).max() > 0.9


def test_the_activity_of_the_end_alone(labelled, start_ns) -> None:
    told = cut([labelled], windowing=Windowing(label_s=0.2, stride_s=0.25))
    labels = {(w.end_ns - start_ns) / 1e9: w.label for w in told}
    assert [labels[at] for at in (4.25, 4.5, 5.25, 5.5)] == ["walk", "", "", "sit"]


def test_the_label_is_what_fills_most_of_it(labelled) -> None:
    labels = [(w.label, round(w.share, 3)) for w in cut([labelled])]
    assert labels[6:12] == [
        ("walk", 1.0),  # 3.0 to 4.0 s
        ("walk", 0.75),
        ("", 0.25),  # 4.0 to 5.0 s
        ("", 0.25),
        ("sit", 0.75),
        ("sit", 1.0),
    ]
    all_of_it = cut([labelled], windowing=Windowing(least_share=0.8))
    assert [w.label for w in all_of_it[6:12]] == ["walk", "", "", "", "", "sit"]


def test_the_majority_of_pieces() -> None:
    pieces = [Interval(0, 30, "a"), Interval(30, 70, "b"), Interval(70, 95, "a")]
    assert majority(pieces, 0, 100) == ("a", 0.55)
    assert majority(pieces, 20, 70) == ("b", 0.8)
    assert majority(pieces, 95, 99) == ("", 0.0)


def test_a_window_that_touches_a_gap_is_invalid_and_says_so(change, track, start_ns) -> None:
    seconds = (track.times_ns - start_ns) / 1e9
    holed = change(np.flatnonzero((seconds <= 5.0) | (seconds >= 5.3)))
    windows = cut([holed])
    invalid = {(w.start_ns - start_ns) / 1e9: w.invalid for w in windows if w.invalid}
    assert invalid == dict.fromkeys(
        (4.5, 5.0), "made: gap of 0.30 s in watch acceleration and angular_rate, 5.00 s after its "
        "start"
    )  # fmt: skip
    for window in windows:
        assert np.isnan(window.values).all() == bool(window.invalid)
        assert np.isfinite(window.values).all() != bool(window.invalid)
    assert not any(w.invalid for w in cut([holed], windowing=Windowing(longest_gap_s=0.31)))


@pytest.fixture
def mmact(change):
    """Watch and phone of one clip; the phone's gyroscope and orientation are of 50 Hz."""
    half = slice(0, 2000, 2)
    angles = np.tile((90.0, 0.0, -10.0), (1000, 1))
    watch = change()
    force = replace(watch, values=watch.values[:, :3], channels=watch.channels[:3])
    phone = replace(force, device="phone", values=-force.values)
    turn = change(half, device="phone")
    gyro = replace(turn, values=turn.values[:, 3:], channels=turn.channels[3:])
    orientation = replace(gyro, values=angles, channels=channels(ORIENTATION))
    return {"watch": force, "phone": phone, "gyro": gyro, "orientation": orientation}


def test_twelve_channels_of_two_devices(mmact, start_ns) -> None:
    window = Resampled(256, 50.0)
    windows = cut(mmact.values(), window, TWELVE, Windowing(stride_s=5.12))
    assert [w.values.shape for w in windows] == [(256, 12)] * 4
    values, first = windows[1].values, (windows[1].start_ns - start_ns) // 20_000_000
    np.testing.assert_allclose(values[:, :3], -values[:, 3:6], atol=1e-6)
    np.testing.assert_array_equal(values[0, 6:9], mmact["gyro"].values[first].astype(np.float32))
    np.testing.assert_array_equal(values[:, 9:], np.tile((90.0, 0.0, -10.0), (256, 1)))
    assert all(w.present.all() for w in windows)


def test_absent_sensors_are_masked(mmact) -> None:
    del mmact["gyro"]
    (window, *_) = cut(mmact.values(), slots=TWELVE)
    assert window.present.tolist() == [True, True, False, True]
    assert not window.values[:, 6:9].any()
    assert window.invalid == ""


def test_a_sensor_of_less_than_a_window_is_absent(mmact) -> None:
    gyro = mmact["gyro"]
    mmact["gyro"] = replace(gyro, times_ns=gyro.times_ns[:40], values=gyro.values[:40])
    windows = cut(mmact.values(), slots=TWELVE)
    assert len(windows) == 39
    assert not any(w.present[2] for w in windows)


def test_windows_lie_where_all_sensors_have_samples(mmact, start_ns) -> None:
    gyro = mmact["gyro"]
    mmact["gyro"] = replace(gyro, times_ns=gyro.times_ns + 2 * S)
    windows = cut(mmact.values(), slots=TWELVE)
    assert windows[0].start_ns == start_ns + 2 * S
    assert windows[-1].end_ns <= start_ns + 20 * S
    assert all(np.isfinite(w.values).all() for w in windows)


def test_a_gap_of_any_sensor_invalidates(mmact, start_ns) -> None:
    gyro = mmact["gyro"]
    seconds = (gyro.times_ns - start_ns) / 1e9
    kept = (seconds <= 5.0) | (seconds >= 6.0)
    mmact["gyro"] = replace(gyro, times_ns=gyro.times_ns[kept], values=gyro.values[kept])
    told = [w.invalid for w in cut(mmact.values(), slots=TWELVE) if w.invalid]
    assert len(told) == 3
    assert set(told) == {"made: gap of 1.00 s in phone angular_rate, 5.00 s after its start"}


def test_of_any_device_each_one_makes_its_own_windows(mmact) -> None:
    windows = cut(mmact.values(), slots=SIX)
    assert len(windows) == 78
    assert [w.present.tolist() for w in windows[::39]] == [[True, False], [True, True]]


def test_sessions_are_not_mixed(track) -> None:
    later = replace(track, session="another", times_ns=track.times_ns + 5 * S)
    windows = cut([track, later])
    assert [w.session for w in windows] == ["session"] * 39 + ["another"] * 39


@pytest.mark.parametrize("wrong_ns", [0, 4_000_000_000 * S])
def test_one_stamp_that_is_far_off_costs_its_sample_alone(change, track, wrong_ns) -> None:
    for place in (0, 1000, 1999):
        times_ns = track.times_ns.copy()
        times_ns[place] = wrong_ns
        windows = cut([change(times_ns=times_ns)])
        assert len(windows) >= 38
        assert not any(w.invalid for w in windows)


def test_windows_begin_anew_after_a_pause(change, track, start_ns) -> None:
    later = track.times_ns + np.where(np.arange(2000) < 1000, 0, 3600 * S)
    windows = cut([change(times_ns=later)])
    assert len(windows) == 2 * 19
    assert windows[19].start_ns == start_ns + 3610 * S
    assert not any(w.invalid for w in windows)


def test_a_long_window_holds_its_first_value_until_it_is_full(track, start_ns) -> None:
    windows = cut([track], Resampled(128, 50.0))
    assert windows[0].end_ns == start_ns + S + 20_000_000
    held = windows[0].values
    np.testing.assert_array_equal(held[:78], np.tile(track.values[0].astype(np.float32), (78, 1)))
    np.testing.assert_array_equal(held[77:], track.values[:101:2].astype(np.float32))


def test_nothing_from_before_a_pause_is_in_a_window(change, track, start_ns) -> None:
    later = track.times_ns + np.where(np.arange(2000) < 1000, 0, 3600 * S)
    values = np.where(np.arange(2000)[:, None] < 1000, 1e6, track.values)
    windows = cut([change(times_ns=later, values=values)], Resampled(128, 50.0))
    after = [w for w in windows if w.end_ns > start_ns + 3600 * S]
    assert len(after) == 18
    assert all(np.abs(w.values).max() < 100.0 and not w.invalid for w in after)


def test_a_track_without_a_whole_window_gives_none(change) -> None:
    assert cut([change(slice(0, 90))]) == []
