"""Rows of a benchmark: what is held, and that the page follows from the JSON."""

from __future__ import annotations

import json

import pytest

from bench.__main__ import ROWS, measure
from bench.report import among_earlier, page
from bench.row import Row, Skipped, compare


def row(**held: float) -> Row:
    return compare(
        "r", "ours", "theirs", [2.0, 3.0, 1.0], [1.0, 2.0, 1.0], unit="ms", scale=1e3, **held
    )


def test_a_row_holds_the_median_of_the_ratios():
    made = row(at_most=1.5)
    assert made.ratios == (2.0, 1.5, 1.0)
    assert (made.median, made.ours, made.theirs) == (1.5, 2000.0, 1000.0)
    assert made.met
    assert not row(at_most=1.4).met
    assert row(at_least=1.5).met
    assert not row(at_least=1.6).met


def test_a_row_survives_json():
    made = row(at_most=1.5)
    assert Row.from_mapping(json.loads(json.dumps(made.to_mapping()))) == made


def test_the_page_shows_every_row_and_what_was_not_measured():
    values = {
        "machine": {"cores": 2},
        "rows": [row(at_most=1.4).to_mapping()],
        "skipped": {"live": "no bundle"},
    }
    text = page(values)
    assert "| ours | theirs | 2e+03 ms | 1e+03 ms | 1.5 (1 to 2) | <= 1.4 | no |" in text
    assert "cores 2" in text
    assert "live: not measured, no bundle" in text


def test_a_row_by_itself_is_put_among_those_of_the_same_machine():
    machine = {"cores": 2, "load_before": 0.5}
    earlier = {
        "machine": machine,
        "rows": [{**row(at_most=1.4).to_mapping(), "name": "other"}],
        "skipped": {"r": "no library"},
    }
    later = {**machine, "load_before": 3.0}
    found, measured_on = among_earlier({"r": row(at_most=1.5)}, later, earlier)
    assert measured_on == machine
    assert (found["other"].load_before, found["r"].load_before) == (None, 3.0)
    assert found["r"].met
    text = page({**earlier, "rows": [r.to_mapping() for r in found.values()], "skipped": {}})
    assert "ours: measured by itself, load_before 3." in text
    gone, _ = among_earlier({"r": Skipped("r", "no library")}, later, earlier)
    assert gone["r"] == Skipped("r", "no library")
    assert among_earlier({"r": row(at_most=1.5)}, {**later, "cores": 4}, earlier) is None


def test_approximate_time_takes_the_first_fit_within_the_slop():
    pytest.importorskip("rclpy")
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    from bench.approximate_time import ApproximateTime

    class Message:
        def __init__(self, ms: int) -> None:
            self.ms = ms
            self.header = Header(stamp=Time(sec=1, nanosec=ms * 1_000_000))

    sets: list[tuple[int, ...]] = []
    synchronizer = ApproximateTime(
        2, 2, 0.05, lambda *found: sets.append(tuple(m.ms for m in found))
    )
    for index, ms in [(1, 100), (1, 160), (0, 140), (1, 141), (0, 500), (1, 510)]:
        synchronizer.add(index, Message(ms))
    assert sets == [(140, 160), (500, 510)]


def test_a_row_that_fails_does_not_take_the_others_with_it(monkeypatch, capfd) -> None:
    monkeypatch.setitem(ROWS, "broken", "report:nothing")
    found = measure("broken")
    assert isinstance(found, Skipped)
    assert found.reason.startswith("failed: AttributeError")
    assert "Traceback" in capfd.readouterr().err
