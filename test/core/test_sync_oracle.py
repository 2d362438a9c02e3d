"""The synchronizer against numpy oracles on random timelines; equal pushes give equal sets."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core import health as reasons
from xmodal_ros.core.settings import StreamSettings, SyncSettings
from xmodal_ros.core.sync import EventClock, Synchronizer
from xmodal_ros.core.types import Sample
from xmodal_ros.core.windows import Clip, Resampled

RATES_HZ = {"tactile": 60.0, "camera": 30.0, "imu": 400.0, "lidar": 10.0}
SECONDS = 6
TOLERANCE_S = 0.06


def make_stamps(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sorted random stamps in ns: jitter of up to half a period, a tenth of all messages lost."""
    stamps = {}
    for name, rate_hz in RATES_HZ.items():
        count = int(SECONDS * rate_hz)
        times_s = 100 + (np.arange(count) + rng.uniform(-0.5, 0.5, count)) / rate_hz
        stamps[name] = np.unique(np.rint(times_s[rng.random(count) > 0.1] * 1e9).astype(np.int64))
    return stamps


def make_data(name: str, stamp_ns: int) -> np.ndarray:
    rng = np.random.default_rng(stamp_ns)
    if name == "imu":
        return rng.normal(size=6).astype(np.float32)
    return rng.integers(0, 255, (4, 4) if name == "lidar" else (2, 2, 3)).astype(np.uint8)


def run(stamps: dict[str, np.ndarray], delays_ns: dict[str, int], windows=None):
    """Push all messages in order of arrival, stamp + delay, and return all sets."""
    streams = [
        StreamSettings(name=name, modality=name, tolerance_s=TOLERANCE_S) for name in RATES_HZ
    ]
    settings = SyncSettings(timeout_s=1.0)
    sync, clock = Synchronizer(streams, windows or {}, settings, "tactile"), EventClock(settings)
    arrivals = sorted((int(t) + delays_ns[n], n, int(t)) for n in stamps for t in stamps[n])
    sets = []
    for _, name, stamp_ns in arrivals:
        sample = Sample(stamp_ns, "", make_data(name, stamp_ns))
        sets += sync.push(name, sample, clock.advance(name, stamp_ns))
    return sets + sync.flush()


@pytest.fixture(params=range(5))
def case(request):
    rng = np.random.default_rng(request.param)
    delays_ns = {name: int(rng.integers(0, 200_000_000)) for name in RATES_HZ}
    return make_stamps(rng), delays_ns


def test_every_match_is_the_nearest_message(case):
    stamps, delays_ns = case
    sets = run(stamps, delays_ns)
    assert [o.stamp_ns for o in sets] == stamps["tactile"].tolist()
    for o in sets:
        for name in ("camera", "imu", "lidar"):
            distance = np.abs(stamps[name] - o.stamp_ns).min()
            if distance <= TOLERANCE_S * 1e9:
                assert abs(o.streams[name].stamps_ns[0] - o.stamp_ns) == distance
            else:
                assert o.missing[name] == "skew"


def test_an_imu_window_is_numpys_interpolation(case):
    stamps, delays_ns = case
    samples, rate_hz = 50, 80.0
    sets = run(stamps, delays_ns, {"imu": Resampled(samples, rate_hz)})
    values = np.stack([make_data("imu", int(t)) for t in stamps["imu"]])
    checked = 0
    for o in sets:
        grid = o.stamp_ns - np.arange(samples - 1, -1, -1) * round(1e9 / rate_hz)
        if o.stamp_ns - stamps["imu"][0] < min(o.stamp_ns - grid[0], 1_000_000_000):
            assert o.missing["imu"] == "history"
            continue
        if o.stamp_ns > stamps["imu"][-1]:
            continue  # the end of the recording: the last value is held
        origin = o.stamp_ns
        expected = np.stack(
            [
                np.interp((grid - origin) * 1e-9, (stamps["imu"] - origin) * 1e-9, column)
                for column in values.T
            ],
            axis=1,
        )
        window = o.streams["imu"]
        np.testing.assert_allclose(window.data, expected, rtol=0, atol=1e-5)
        assert window.data.dtype == np.float32
        assert window.stamps_ns[0] <= grid[0]
        assert window.stamps_ns[1] >= o.stamp_ns
        checked += 1
    assert checked > 200


def test_every_image_of_a_clip_is_the_nearest_or_repeats_the_next(case):
    stamps, delays_ns = case
    frames, spacing_ns = 4, 40_000_000
    sets = run(stamps, delays_ns, {"tactile": Clip(frames, spacing_ns * 1e-9)})
    times = stamps["tactile"]
    for o in sets:
        expected = [o.stamp_ns]
        for k in range(1, frames):
            distances = np.abs(times - (o.stamp_ns - k * spacing_ns))
            near = distances.min() <= TOLERANCE_S * 1e9
            expected.append(int(times[distances.argmin()]) if near else expected[-1])
        clip = o.streams["tactile"]
        assert list(clip.stamps_ns) == expected[::-1]
        for frame, stamp_ns in zip(clip.frames, expected[::-1], strict=True):
            np.testing.assert_array_equal(frame, make_data("tactile", stamp_ns))
        assert clip.data is clip.frames[-1]


def test_equal_pushes_give_bit_equal_sets(case):
    stamps, delays_ns = case
    windows = {"imu": Resampled(50, 80.0), "tactile": Clip(4, 0.04)}
    first, second = run(stamps, delays_ns, windows), run(stamps, delays_ns, windows)
    assert len(first) == len(second) == len(stamps["tactile"])
    for one, other in zip(first, second, strict=True):
        assert (one.stamp_ns, one.missing) == (other.stamp_ns, other.missing)
        assert list(one.streams) == list(other.streams)
        for name, data in one.streams.items():
            assert data.stamps_ns == other.streams[name].stamps_ns
            assert data.data.tobytes() == other.streams[name].data.tobytes()
            for frame, same in zip(data.frames, other.streams[name].frames, strict=True):
                assert frame.tobytes() == same.tobytes()


def test_the_sets_do_not_depend_on_how_messages_of_different_streams_interleave(case):
    stamps, delays_ns = case
    windows = {"imu": Resampled(50, 80.0), "tactile": Clip(4, 0.04)}
    together = run(stamps, dict.fromkeys(RATES_HZ, 0), windows)
    for one, other in zip(run(stamps, delays_ns, windows), together, strict=True):
        assert (one.stamp_ns, one.missing) == (other.stamp_ns, other.missing)
        assert [d.stamps_ns for d in one.streams.values()] == [
            d.stamps_ns for d in other.streams.values()
        ]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_stamps_sets_stay_in_order_and_within_tolerance(seed):
    rng = np.random.default_rng(seed)
    streams = [
        StreamSettings(name=n, modality=n, tolerance_s=TOLERANCE_S, required=n == "camera")
        for n in RATES_HZ
    ]
    settings = SyncSettings(timeout_s=0.1, max_messages=40)
    windows = {"imu": Resampled(20, 100.0), "tactile": Clip(3, 0.05)}
    sync = Synchronizer(streams, windows, settings, "tactile")
    now_ns, last_ns, resets, anchors = 10**11, 0, 0, 0
    names = rng.choice(list(RATES_HZ), 4000, p=[0.2, 0.1, 0.6, 0.1])
    for name in names:
        now_ns += int(rng.exponential(3e6))
        if rng.random() < 0.002:
            now_ns -= 5 * 10**9  # a recording that starts again
        # Late, out of order, doubled, far in the future, and zero.
        stamp_ns = now_ns - int(rng.exponential(20e6))
        stamp_ns = int(rng.choice([stamp_ns, stamp_ns // 10**7 * 10**7], p=[0.8, 0.2]))
        stamp_ns = int(rng.choice([stamp_ns, now_ns + 10**10, 0], p=[0.98, 0.01, 0.01]))
        sets = sync.push(str(name), Sample(stamp_ns, "", make_data(str(name), stamp_ns)), now_ns)
        if sync.health.clock_resets > resets:
            resets, last_ns = sync.health.clock_resets, 0
        for o in sets:
            anchors += 1
            assert o.stamp_ns > last_ns
            last_ns = o.stamp_ns
            assert {"tactile", "camera"} <= o.streams.keys()
            assert o.streams.keys() | o.missing.keys() == set(RATES_HZ)
            for stream in ("tactile", "camera", "lidar"):
                if stream in o.streams:
                    assert abs(o.age_ns[stream]) <= TOLERANCE_S * 1e9
    assert resets >= 1
    assert anchors == sync.health.formed > 100
    for name, counts in sync.health.streams.items():
        assert counts.received == int((names == name).sum())
        assert counts.refused[reasons.FUTURE_STAMP] + counts.refused[reasons.ZERO_STAMP] > 0
