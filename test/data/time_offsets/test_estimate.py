"""Offsets between clocks: known ones are found, and what cannot be told is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.time_offsets.estimate import Found, Offset, OffsetSettings, estimate
from xmodal_ros.data.time_offsets.motion import Motion, read_motion
from xmodal_ros.data.time_offsets.picture import draw

OPTIONS = OffsetSettings()


def by_name(found: Found) -> dict[str, Offset]:
    return {offset.stream: offset for offset in found.offsets}


def settings(offsets_s: dict[str, float] | None = None) -> Settings:
    """The default streams with offsets."""
    streams = (
        dataclasses.replace(s, offset_s=(offsets_s or {}).get(s.name, 0.0))
        for s in Settings().streams
    )
    return Settings(streams=tuple(streams))


def part(motion: Motion, begin_s: float, end_s: float) -> Motion:
    times_s = (motion.times_ns - motion.times_ns[0]) / 1e9
    some = (times_s >= begin_s) & (times_s < end_s)
    return dataclasses.replace(motion, times_ns=motion.times_ns[some], values=motion.values[some])


def test_known_offsets_are_found_to_5_ms(motions, errors_s) -> None:
    found = estimate([motions], settings(), OPTIONS)
    assert (found.anchor, found.reference) == ("tactile_left", "imu")
    for name, offset in by_name(found).items():
        if name == "lidar":
            assert (offset.seconds, offset.why) == (None, "is not recorded")
            continue
        assert offset.why == ""
        true_s = errors_s["tactile_left"] - errors_s[name]
        assert offset.seconds == pytest.approx(true_s, abs=0.005)
        assert abs(offset.seconds - true_s) <= offset.spread_s
    assert by_name(found)["camera"].comparison.correlation > 0.8
    assert draw(found).shape[2] == 3


def test_offsets_that_are_set_already_are_kept_and_corrected(shaken, motions, errors_s) -> None:
    fresh = by_name(estimate([motions], settings(), OPTIONS))
    had = {"camera": 0.05, "tactile_left": 0.01}
    again = by_name(estimate([read_motion(shaken, settings(had))], settings(had), OPTIONS))
    assert again["tactile_left"].seconds == 0.01
    for name in ("camera", "imu", "tactile_right"):
        assert again[name].seconds == pytest.approx(fresh[name].seconds + 0.01, abs=0.002)


def test_the_lag_of_a_gel_is_taken_off(tmp_path, write_shaken, errors_s) -> None:
    late = [read_motion(write_shaken(tmp_path / "late", gel_lag_s=0.02), settings())]
    true_s = errors_s["tactile_left"] - errors_s["imu"]
    untold, told = (
        by_name(estimate(late, settings(), OffsetSettings(gel_lag_s=lag)))["imu"].seconds
        for lag in (0.0, 0.02)
    )
    assert untold == pytest.approx(true_s + 0.02, abs=0.005)
    assert told == pytest.approx(true_s, abs=0.005)


def test_short_recordings_count_together(motions, errors_s) -> None:
    halves = [{n: part(m, *span) for n, m in motions.items()} for span in ((0, 11), (12, 23))]
    alone = by_name(estimate(halves[:1], settings(), OPTIONS))
    assert alone["camera"].why == "3 windows of 3 s; record at least 15 s"
    camera = by_name(estimate(halves, settings(), OPTIONS))["camera"]
    assert camera.seconds == pytest.approx(
        errors_s["tactile_left"] - errors_s["camera"], abs=0.005
    )


def test_what_moves_on_its_own_is_refused(tmp_path, motions, write_shaken) -> None:
    other = read_motion(write_shaken(tmp_path / "other", seed=1), settings())
    found = by_name(estimate([motions | {"camera": other["camera"]}], settings(), OPTIONS))
    assert found["camera"].seconds is None
    assert found["camera"].why.startswith("only known to ")
    assert found["tactile_right"].why == ""


def test_a_gel_whose_object_sways_is_refused(motions) -> None:
    gel = motions["tactile_right"]
    noise = np.random.default_rng(0).normal(size=gel.values.shape) * gel.values.std(axis=0)
    loose = dataclasses.replace(gel, values=gel.values + 0.6 * noise)
    found = by_name(estimate([motions | {"tactile_right": loose}], settings(), OPTIONS))
    assert found["tactile_right"].why.endswith(" only: grip more firmly")
    assert found["tactile_left"].why == ""


def test_what_stands_still_is_refused(motions) -> None:
    gel = motions["tactile_left"]
    still = dataclasses.replace(gel, values=np.zeros_like(gel.values))
    found = by_name(estimate([motions | {"tactile_left": still}], settings(), OPTIONS))
    assert found["tactile_left"].why == "nothing moves"
    assert found["camera"].why == "of the anchor, tactile_left: nothing moves"
    assert found["camera"].seconds is None


def test_a_slow_stream_is_refused(motions) -> None:
    camera = motions["camera"]
    slow = dataclasses.replace(camera, times_ns=camera.times_ns[::8], values=camera.values[::8])
    found = by_name(estimate([motions | {"camera": slow}], settings(), OPTIONS))
    assert found["camera"].why == "2.5 messages per second, at least 4 are needed"


def test_an_offset_beyond_the_search_is_refused(motions) -> None:
    camera = motions["camera"]
    far = dataclasses.replace(camera, times_ns=camera.times_ns + 400_000_000)
    found = by_name(estimate([motions | {"camera": far}], settings(), OPTIONS))["camera"]
    assert found.seconds is None
    wide = OffsetSettings(search_s=0.6)
    near = by_name(estimate([motions | {"camera": camera}], settings(), wide))["camera"]
    found = by_name(estimate([motions | {"camera": far}], settings(), wide))["camera"]
    assert found.seconds == pytest.approx(near.seconds - 0.4, abs=0.005)


def test_without_an_imu_gels_are_compared_with_each_other(motions, errors_s) -> None:
    gels = {n: m for n, m in motions.items() if n.startswith("tactile")}
    found = estimate([gels], settings(), OPTIONS)
    assert found.reference == "tactile_left"
    right = by_name(found)["tactile_right"]
    true_s = errors_s["tactile_left"] - errors_s["tactile_right"]
    assert right.seconds == pytest.approx(true_s, abs=0.005)


def test_what_is_looked_for_has_bounds() -> None:
    with pytest.raises(SettingsError, match=r"calibrate-time.search_s: got 0.0; expected a value"):
        OffsetSettings(search_s=0.0)
