"""Simulated time against real time, as timelines."""

from xmodal_ros.ros.pace import CATCH_UP_NS, Pace

MS = 1_000_000
START = 5_000 * MS


def test_nothing_is_due_ahead_of_real_time() -> None:
    pace = Pace(START)
    assert pace.wait_ns(20 * MS, START) == 20 * MS
    assert pace.wait_ns(20 * MS, START + 15 * MS) == 5 * MS
    assert pace.wait_ns(20 * MS, START + 20 * MS) == 0


def test_a_short_delay_is_made_up_for() -> None:
    pace = Pace(START)
    assert pace.wait_ns(20 * MS, START + 90 * MS) == -70 * MS
    assert pace.wait_ns(95 * MS, START + 92 * MS) == 3 * MS
    assert pace.lost_ns == 0


def test_a_long_delay_is_kept() -> None:
    pace = Pace(START)
    pace.wait_ns(20 * MS, START + 1020 * MS)
    assert pace.lost_ns == 1000 * MS - CATCH_UP_NS
    pace.wait_ns(20 * MS, START + 1020 * MS)
    assert pace.lost_ns == 1000 * MS - CATCH_UP_NS
    assert pace.wait_ns(1020 * MS, START + 1020 * MS) == pace.lost_ns


def test_at_a_rate_of_two_everything_is_due_after_half_the_time() -> None:
    pace = Pace(START, rate=2.0)
    assert pace.wait_ns(20 * MS, START) == 10 * MS
    assert pace.wait_ns(40 * MS, START + 15 * MS) == 5 * MS


def test_the_factor_is_of_the_time_since_the_last_one() -> None:
    pace = Pace(START)
    assert pace.factor(500 * MS, START + 1000 * MS) == 0.5
    assert pace.factor(1500 * MS, START + 2000 * MS) == 1.0
