"""A rate that is limited by stamps."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.throttle import Throttle

START_NS = 1_700_000_000_000_000_000


def through(stamps_s, rate_hz: float) -> np.ndarray:
    """Those of the stamps, in s, that go through."""
    throttle = Throttle()
    return np.array([s for s in stamps_s if throttle.admits(START_NS + round(s * 1e9), rate_hz)])


def test_no_limit_lets_everything_through() -> None:
    assert len(through(np.arange(100) / 100, 0.0)) == 100


@pytest.mark.parametrize(("given_hz", "rate_hz"), [(100, 10), (25, 10), (60, 50), (200, 7)])
def test_the_mean_rate_is_the_one_asked_for_under_jitter(given_hz: int, rate_hz: int) -> None:
    rng = np.random.default_rng(0)
    stamps = np.arange(given_hz * 10) / given_hz + rng.uniform(0, 0.1 / given_hz, given_hz * 10)
    found = through(stamps, rate_hz)
    assert len(found) == pytest.approx(10 * rate_hz, abs=1)
    assert np.diff(found).min() > 1 / rate_hz - 1.1 / given_hz


def test_a_slower_stream_is_not_thinned() -> None:
    assert len(through(np.arange(20) / 5, 10.0)) == 20


def test_after_a_hole_ticks_are_where_they_were() -> None:
    stamps = [0.0, 0.05, 0.1, 5.03, 5.06, 5.12, 5.14]
    assert through(stamps, 10.0).tolist() == [0.0, 0.1, 5.03, 5.12]


def test_time_that_is_set_back_begins_anew() -> None:
    stamps = [7.0, 7.05, 7.1, 1.0, 1.05, 1.1]
    assert through(stamps, 10.0).tolist() == [7.0, 7.1, 1.0, 1.1]


def test_a_rate_that_changes_holds_from_then_on() -> None:
    throttle = Throttle()
    assert throttle.admits(START_NS, 1.0)
    assert not throttle.admits(START_NS + 10**8, 1.0)
    assert throttle.admits(START_NS + 2 * 10**8, 100.0)
    assert throttle.admits(START_NS + 3 * 10**8, 0.0)
