"""Comparing what two runs answered."""

from __future__ import annotations

from xmodal_ros.eval.parity import Parity, compare


def test_says_in_which_fields_answers_of_one_stamp_differ():
    live = {
        ("activity", 1): {"label": "grasp", "since": 1},
        ("activity", 2): {"label": "lift", "since": 2},
        ("grasp", 2): {"probability": b"a"},
    }
    offline = {
        ("activity", 1): {"label": "grasp", "since": 1},
        ("activity", 2): {"label": "lift", "since": 1},
        ("grasp", 3): {"probability": b"a"},
    }
    found = compare(live, offline)
    assert found == Parity(first=3, second=3, common=2, equal=1, differing={"since": 1})
    assert not found.complete
    assert compare(live, live).complete
