"""What the health counters say of rates and delays."""

from __future__ import annotations

import pytest

MS = 1_000_000


def test_the_rate_follows_the_stamps(timeline):
    line = timeline({"camera": {}})
    health = line.health.streams["camera"]
    assert health.rate_hz == 0
    line.play(*(("camera", 1000 + 20 * k) for k in range(50)))
    assert health.rate_hz == pytest.approx(50)
    line.play(*(("camera", 2000 + 40 * k) for k in range(100)))
    assert health.rate_hz == pytest.approx(25, rel=0.01)


def test_the_delay_is_by_the_callers_clock(timeline):
    line = timeline({"camera": {}})
    health = line.health.streams["camera"]
    line.push("camera", 1000, now_ms=1012)
    assert (health.last_stamp_ns, health.delay_ns) == (1000 * MS, 12 * MS)


def test_a_jump_back_does_not_count_as_an_interval(timeline):
    line = timeline({"camera": {}})
    line.play(*(("camera", 9000 + 20 * k) for k in range(20)))
    line.play(*(("camera", 1000 + 20 * k) for k in range(20)))
    assert line.health.clock_resets == 1
    assert line.health.streams["camera"].jumps_back == 1
    assert line.health.streams["camera"].rate_hz == pytest.approx(50)


def test_sets_are_counted_by_what_became_of_them(timeline):
    line = timeline({"tactile": {}, "camera": {"required": True}, "imu": {}}, timeout_s=0.1)
    line.play(("camera", 1000), ("imu", 1000), ("tactile", 1000))
    line.play(("camera", 1200), ("tactile", 1200))
    line.poll(1300)
    line.push("tactile", 1400)
    line.poll(1500)
    health = line.health
    assert (health.formed, health.partial) == (2, 1)
    assert health.refused == {("camera", "skew"): 1}
    assert health.last_formed_ns == 1200 * MS
    assert health.streams["imu"].missing == {"skew": 2}
