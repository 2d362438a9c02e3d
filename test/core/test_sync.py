"""Each rule of the synchronizer as a timeline."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core import health as reasons
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import StreamSettings, SyncSettings
from xmodal_ros.core.sync import ABSENT_TIMEOUTS, EventClock, Synchronizer
from xmodal_ros.core.windows import Clip, Nearest, Resampled

PAIR = {"tactile": {}, "camera": {}}
MS = 1_000_000


# When sets leave


def test_a_set_leaves_when_every_stream_has_a_message_at_or_after_the_anchor(timeline, stamps):
    line = timeline(PAIR)
    assert line.play(("camera", 990), ("tactile", 1000)) == []
    assert stamps(line.push("camera", 1003)) == [{"tactile": 1000, "camera": 1003}]


def test_a_set_leaves_with_its_anchor_when_no_later_message_can_improve_it(timeline, stamps):
    line = timeline(PAIR)
    assert stamps(line.play(("camera", 990), ("camera", 1000), ("tactile", 1000))) == [
        {"tactile": 1000, "camera": 1000}
    ]


def test_a_set_leaves_at_its_deadline_with_what_is_there(timeline, stamps):
    line = timeline(PAIR, timeout_s=0.1)
    line.play(("camera", 980), ("tactile", 1000))
    assert line.poll(1099.9) == []
    assert stamps(line.poll(1100)) == [{"tactile": 1000, "camera": 980}]
    assert line.poll(2000) == []


def test_a_message_of_any_stream_shows_that_a_deadline_has_passed(timeline, stamps):
    line = timeline({**PAIR, "lidar": {}}, timeout_s=0.1)
    line.play(("camera", 980), ("lidar", 980), ("tactile", 1000))
    assert stamps(line.push("lidar", 1100)) == [{"tactile": 1000, "camera": 980, "lidar": 980}]


def test_sets_leave_in_the_order_of_their_anchors(timeline, stamps):
    line = timeline(PAIR)
    line.play(("camera", 1000), ("tactile", 1020), ("tactile", 1010))
    assert [s["tactile"] for s in stamps(line.push("camera", 1030))] == [1010, 1020]


def test_an_anchor_older_than_the_last_set_is_dropped_and_counted(timeline):
    line = timeline(PAIR)
    assert len(line.play(("tactile", 1020), ("camera", 1020), ("tactile", 1010))) == 1
    assert line.poll(9000) == []
    assert line.health.streams["tactile"].dropped == {reasons.LATE: 1}


def test_flush_gives_what_is_still_waiting(timeline, stamps):
    line = timeline(PAIR)
    line.play(("camera", 990), ("tactile", 1000), ("tactile", 1010))
    assert [s["tactile"] for s in stamps(line.sync.flush())] == [1000, 1010]
    assert line.sync.flush() == []


def test_a_stream_that_is_not_waited_for_gives_the_nearest_that_is_there(timeline, stamps):
    line = timeline({"tactile": {}, "camera": {}, "lidar": {"tolerance_s": 0.2, "wait": False}})
    line.play(("lidar", 800), ("lidar", 900), ("camera", 990))
    assert line.push("tactile", 1000) == []
    assert stamps(line.push("camera", 1020)) == [{"tactile": 1000, "camera": 990, "lidar": 900}]
    line.play(("tactile", 1016), ("lidar", 1021))
    assert stamps(line.push("tactile", 1018))[-1]["lidar"] == 1021


def test_a_stream_that_is_not_waited_for_is_missing_until_it_comes(timeline):
    line = timeline({"tactile": {}, "lidar": {"wait": False}})
    (early,) = line.push("tactile", 1000)
    assert early.missing == {"lidar": "absent"}
    (used,) = line.play(("lidar", 1010), ("tactile", 1016))
    assert used.present == ("tactile", "lidar")
    (late,) = line.push("tactile", 1100)
    assert late.missing == {"lidar": "skew"}


def test_a_required_stream_that_is_not_waited_for_refuses_the_set(timeline):
    line = timeline({"tactile": {}, "lidar": {"wait": False, "required": True}})
    assert line.push("tactile", 1000) == []
    assert line.health.refused == {("lidar", "absent"): 1}


# What a set holds


def test_the_nearest_message_is_taken_not_the_first(timeline, stamps):
    line = timeline(PAIR)
    sets = line.play(("camera", 960), ("camera", 980), ("tactile", 1000), ("camera", 1004))
    assert stamps(sets) == [{"tactile": 1000, "camera": 1004}]


def test_of_two_equally_near_messages_the_earlier_is_taken(timeline, stamps):
    line = timeline(PAIR)
    sets = line.play(("camera", 990), ("tactile", 1000), ("camera", 1010))
    assert stamps(sets) == [{"tactile": 1000, "camera": 990}]


def test_one_message_serves_several_anchors(timeline, stamps):
    line = timeline(PAIR)
    sets = line.play(
        ("camera", 1000), *(("tactile", t) for t in (1001, 1008, 1016)), ("camera", 1033)
    )
    assert stamps(sets) == [{"tactile": t, "camera": 1000} for t in (1001, 1008, 1016)]


def test_an_offset_is_added_before_matching_and_not_to_what_is_reported(timeline):
    line = timeline({"tactile": {}, "camera": {"offset_s": -0.030}})
    (observation,) = line.play(("camera", 1000), ("tactile", 1000), ("camera", 1033))
    camera = observation.streams["camera"]
    assert camera.stamps_ns == (1033 * MS,)
    assert observation.age_ns["camera"] == -3 * MS


def test_an_offset_of_the_anchor_moves_its_matches_and_keeps_its_stamp(timeline, stamps):
    line = timeline({"tactile": {"offset_s": 0.02}, "camera": {}})
    (observation,) = line.play(("camera", 1000), ("tactile", 1000), ("camera", 1021))
    assert observation.stamp_ns == 1000 * MS
    assert stamps([observation]) == [{"tactile": 1000, "camera": 1021}]


def test_an_observation_carries_the_anchors_stamp_and_frame(timeline):
    line = timeline({"tactile": {}})
    (observation,) = line.push("tactile", 1000)
    assert (observation.stamp_ns, observation.frame_id) == (1000 * MS, "tactile_frame")
    assert (observation.anchor, observation.present) == ("tactile", ("tactile",))


def test_two_streams_of_one_modality_are_kept_apart(timeline):
    left, right = {"modality": "tactile"}, {"modality": "tactile"}
    line = timeline({"left": left, "right": right})
    line.push("right", 1000, np.full((2, 2, 3), 7, np.uint8))
    (observation,) = line.push("left", 1000)
    assert observation.streams["right"].data.max() == 7
    assert observation.streams["left"].data.max() == 0


def test_the_anchor_may_be_an_imu_window(timeline):
    line = timeline({"imu": {}}, {"imu": Resampled(3, 100.0)})
    assert line.play(("imu", 1000), ("imu", 1010)) == []
    assert line.health.refused == {("imu", "history"): 2}
    (observation,) = line.push("imu", 1020)
    assert observation.streams["imu"].data.shape == (3, 6)


# Required and optional streams


def test_without_an_optional_stream_the_set_is_partial_and_says_why(timeline):
    line = timeline(PAIR, timeout_s=0.1)
    line.push("tactile", 1000)
    (observation,) = line.poll(1100)
    assert observation.present == ("tactile",)
    assert observation.missing == {"camera": "absent"}
    assert (line.health.formed, line.health.partial) == (1, 1)


def test_without_a_required_stream_there_is_no_set_but_a_counted_reason(timeline):
    line = timeline({"tactile": {}, "camera": {"required": True}}, timeout_s=0.1)
    line.push("tactile", 1000)
    assert line.poll(1100) == []
    assert line.health.refused == {("camera", "absent"): 1}
    assert line.health.formed == 0


def test_a_stream_outside_its_tolerance_is_missing_by_skew_and_says_how_much(timeline):
    line = timeline({"tactile": {}, "camera": {"tolerance_s": 0.01}})
    (observation,) = line.play(("camera", 980), ("tactile", 1000), ("camera", 1015))
    assert observation.missing == {"camera": "skew"}
    assert line.health.streams["camera"].skew_ns == 15 * MS
    assert line.health.streams["camera"].missing == {"skew": 1}


def test_a_message_at_the_tolerance_still_matches(timeline):
    line = timeline({"tactile": {}, "camera": {"tolerance_s": 0.01}})
    (observation,) = line.play(("tactile", 1000), ("camera", 1010))
    assert observation.missing == {}


# Streams that die and return


def test_an_optional_stream_that_died_delays_sets_only_for_a_while(timeline):
    line = timeline(PAIR, timeout_s=0.1)
    line.play(("camera", 1000), ("tactile", 1000))
    patience_ms = ABSENT_TIMEOUTS * 100
    assert line.push("tactile", 1000 + patience_ms) == []
    (waited,) = line.poll(1100 + patience_ms)
    assert waited.missing == {"camera": "absent"}
    (observation,) = line.push("tactile", 1101 + patience_ms)
    assert observation.missing == {"camera": "absent"}


def test_a_stream_whose_messages_are_all_refused_is_not_called_absent(timeline):
    line = timeline(PAIR, timeout_s=0.1)
    line.push("tactile", 1000)
    line.push("camera", 0, now_ms=1050)
    (observation,) = line.poll(1100)
    assert observation.missing == {"camera": "refused"}
    assert line.health.streams["camera"].received == 1


def test_a_stream_that_turned_bad_is_refused_and_one_that_then_died_absent(timeline):
    line = timeline(PAIR, timeout_s=0.1)
    line.play(("camera", 1000), ("tactile", 1000))
    patience_ms = ABSENT_TIMEOUTS * 100
    bad_ms = 1001 + patience_ms
    line.push("camera", 0, now_ms=bad_ms)
    (observation,) = line.push("tactile", bad_ms)
    assert observation.missing == {"camera": "refused"}
    (observation,) = line.push("tactile", bad_ms + patience_ms + 1)
    assert observation.missing == {"camera": "absent"}


def test_a_required_stream_that_died_is_waited_for(timeline):
    line = timeline({"tactile": {}, "camera": {"required": True}}, timeout_s=0.1)
    line.play(("camera", 1000), ("tactile", 1000))
    assert line.push("tactile", 9000) == []
    assert line.health.refused == {}
    assert len(line.push("camera", 9001)) == 1


def test_a_stream_never_heard_is_waited_for_since_the_first_message_of_any(timeline):
    line = timeline(PAIR, timeout_s=0.1)
    assert line.push("tactile", 1000) == []
    observations = line.push("tactile", 1001 + ABSENT_TIMEOUTS * 100)
    assert [o.stamp_ns // MS for o in observations] == [1000, 2001]


def test_a_stream_that_returns_is_used_and_waited_for_again(timeline, stamps):
    line = timeline(PAIR, timeout_s=0.1)
    line.play(("camera", 1000), ("tactile", 1000), ("tactile", 9000))
    assert stamps(line.play(("camera", 9010), ("tactile", 9012))) == []
    assert stamps(line.push("camera", 9020)) == [{"tactile": 9012, "camera": 9010}]


# Stamps that are not as they should be


def test_messages_out_of_order_are_used_and_counted(timeline, stamps):
    line = timeline(PAIR)
    sets = line.play(("camera", 1020), ("camera", 1001), ("tactile", 1000))
    assert stamps(sets) == [{"tactile": 1000, "camera": 1001}]
    assert line.health.streams["camera"].out_of_order == 1


def test_a_duplicate_stamp_is_refused_and_the_first_message_kept(timeline):
    line = timeline(PAIR)
    line.push("camera", 1000)
    line.push("camera", 1000, np.full((2, 2, 3), 9, np.uint8))
    (observation,) = line.push("tactile", 1000)
    assert observation.streams["camera"].data.max() == 0
    assert line.push("tactile", 1000) == []
    for stream in PAIR:
        assert line.health.streams[stream].refused == {reasons.DUPLICATE: 1}


def test_a_stamp_of_zero_is_refused(timeline):
    line = timeline(PAIR)
    assert line.push("tactile", 0, now_ms=1000) == []
    assert line.health.streams["tactile"].refused == {reasons.ZERO_STAMP: 1}


def test_a_stamp_in_the_future_is_refused(timeline):
    line = timeline({"tactile": {}}, max_future_s=0.5)
    assert line.push("tactile", 1501, now_ms=1000) == []
    assert line.health.streams["tactile"].refused == {reasons.FUTURE_STAMP: 1}
    assert len(line.push("tactile", 1500, now_ms=1000)) == 1


def test_a_clock_that_jumps_back_clears_everything_and_goes_on(timeline, stamps):
    line = timeline(PAIR, timeout_s=0.1)
    line.play(("camera", 9000), ("tactile", 9000), ("tactile", 9010))
    assert line.push("camera", 1000) == []  # the waiting set of 9010 is gone
    assert line.health.clock_resets == 1
    assert stamps(line.push("tactile", 1000)) == [{"tactile": 1000, "camera": 1000}]


def test_a_small_step_back_is_not_a_jump(timeline):
    line = timeline(PAIR, jump_back_s=1.0)
    line.play(("camera", 9000), ("camera", 8000))
    assert line.health.clock_resets == 0


def test_a_looped_recording_gives_the_same_sets_in_every_loop(timeline, stamps):
    line, clock = timeline(PAIR), EventClock(SyncSettings())
    loop = sorted(
        (t, s) for s, step in (("camera", 33), ("tactile", 40)) for t in range(1000, 9000, step)
    )
    found = []
    for _ in range(3):
        sets = []
        for t, stream in loop:
            sets += line.push(stream, t, now_ms=clock.advance(stream, t * MS) / MS)
        found.append(stamps(sets))
    # The last anchor of a loop waits for a message that never comes, and is cleared.
    assert len(found[0]) >= 199
    assert found[0] == found[1] == found[2]
    assert line.health.clock_resets == 2


def test_clear_forgets_messages_and_keeps_counters(timeline):
    line = timeline(PAIR)
    line.play(("camera", 1000), ("tactile", 1010))
    line.sync.clear()
    assert line.sync.flush() == []
    assert line.health.streams["camera"].received == 1
    line.push("tactile", 1000)
    assert line.sync.flush()[0].missing == {"camera": "absent"}


# Bounds


def test_buffers_are_bounded_in_messages_and_drop_the_oldest(timeline, stamps):
    line = timeline({"tactile": {}, "camera": {"tolerance_s": 1.0}}, max_messages=3)
    line.play(*(("camera", t) for t in (1000, 1010, 1020, 1030, 1040)))
    assert line.health.streams["camera"].dropped == {reasons.OVERFLOW: 2}
    assert stamps(line.push("tactile", 1000)) == [{"tactile": 1000, "camera": 1020}]


def test_buffers_are_bounded_in_bytes(timeline, stamps):
    line = timeline({"tactile": {}, "camera": {"tolerance_s": 1.0}}, max_megabytes=1.0)
    image = np.zeros((100, 1000, 3), np.uint8)  # 0.3 MB
    for t in (1000, 1010, 1020, 1030, 1040):
        line.push("camera", t, image)
    assert line.health.streams["camera"].dropped == {reasons.OVERFLOW: 2}
    assert stamps(line.push("tactile", 1000)) == [{"tactile": 1000, "camera": 1020}]


def test_a_message_larger_than_the_bound_is_still_used(timeline):
    line = timeline({"tactile": {}, "camera": {}}, max_megabytes=1.0)
    line.push("camera", 1000, np.zeros((1000, 1000, 3), np.uint8))
    assert line.push("tactile", 1000)[0].missing == {}


def test_waiting_anchors_are_bounded_too(timeline, stamps):
    line = timeline({"tactile": {}, "camera": {"required": True}}, max_messages=2, timeout_s=10.0)
    line.play(*(("tactile", t) for t in (1000, 1010, 1020)))
    assert line.health.refused == {("tactile", reasons.OVERFLOW): 1}
    assert [s["tactile"] for s in stamps(line.push("camera", 1020))] == [1010, 1020]


# Windows and references in the set


def test_a_clip_repeats_its_oldest_image_until_the_stream_is_long_enough(timeline):
    line = timeline({"tactile": {"tolerance_s": 0.005}}, {"tactile": Clip(3, 0.04)})
    found = [line.push("tactile", t)[0].streams["tactile"] for t in (1000, 1040, 1080, 1120)]
    assert [[s // MS for s in data.stamps_ns] for data in found] == [
        [1000, 1000, 1000],
        [1000, 1000, 1040],
        [1000, 1040, 1080],
        [1040, 1080, 1120],
    ]


def test_a_reference_comes_with_tactile_streams_and_can_be_taken_again(timeline):
    line = timeline({"tactile": {}})
    gel = np.random.default_rng(0).integers(90, 110, (48, 64, 3)).astype(np.uint8)
    first = line.push("tactile", 1000, gel)[0].streams["tactile"]
    assert first.reference is None
    for t in range(1010, 1100, 10):
        (observation,) = line.push("tactile", t, gel)
    known = observation.streams["tactile"]
    np.testing.assert_array_equal(known.reference, gel)
    assert known.reference_id != first.reference_id
    line.sync.recapture_reference("tactile")
    after = line.push("tactile", 1100, gel)[0].streams["tactile"]
    assert after.reference is None
    assert after.reference_id not in (first.reference_id, known.reference_id)


def test_a_clock_that_jumps_back_forgets_the_reference(timeline):
    line = timeline({"tactile": {}})
    for t in range(9000, 9100, 10):
        line.push("tactile", t)
    assert line.push("tactile", 1000)[0].streams["tactile"].reference is None


# Mistakes


def test_an_unknown_anchor_or_window_is_refused():
    stream = StreamSettings(name="cam", modality="camera")
    with pytest.raises(
        SettingsError, match="synchronizer: no stream is named 'gel'; expected one of cam"
    ):
        Synchronizer([stream], {}, SyncSettings(), "gel")
    with pytest.raises(SettingsError, match="no stream is named 'gel'"):
        Synchronizer([stream], {"gel": Nearest()}, SyncSettings(), "cam")


def test_a_window_that_does_not_fit_is_refused():
    stream = StreamSettings(name="cam", modality="camera")
    with pytest.raises(
        SettingsError, match=r"windows.cam: Clip does not fit camera; expected Nearest"
    ):
        Synchronizer([stream], {"cam": Clip(2, 0.1)}, SyncSettings(), "cam")


def test_recapture_of_what_is_not_tactile_is_refused(timeline):
    line = timeline(PAIR)
    with pytest.raises(
        SettingsError, match="'camera' is not a tactile stream; expected one of tactile"
    ):
        line.sync.recapture_reference("camera")


# Event time


def test_event_time_is_the_largest_stamp_so_far():
    clock = EventClock(SyncSettings())
    assert [clock.advance("a", t) for t in (5, 3, 0, 8)] == [5, 5, 5, 8]


def test_event_time_follows_a_stream_that_jumps_back_but_not_one_that_lags():
    clock = EventClock(SyncSettings(jump_back_s=1.0))
    second = 1_000_000_000
    assert clock.advance("a", 9 * second) == 9 * second
    assert clock.advance("b", 5 * second) == 9 * second
    assert clock.advance("b", 3 * second) == 3 * second
    assert clock.advance("a", 3 * second) == 3 * second
