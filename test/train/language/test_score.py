"""What answers are worth: by hand."""

import numpy as np
import pytest

from xmodal_ros.train.language.questions import Asked
from xmodal_ros.train.language.score import Reply, judge, measures, threshold

MATERIALS = ["glass", "wood"]
FACTS = {"activity": "lift", "material": "wood", "grasp": ""}


@pytest.mark.parametrize(
    ("kind", "answer", "absent", "text", "right", "invented"),
    [
        ("activity", "it is lifting the object.", False, "It is LIFTING it", True, False),
        ("activity", "it is lifting the object.", False, "it is shaking it", False, True),
        ("activity", "it is lifting the object.", False, "lifting or shaking", False, True),
        ("activity", "it is lifting the object.", False, "no idea", False, False),
        ("material", "it touches wood.", False, "wood", True, False),
        ("material", "it touches wood.", False, "it touches glass.", False, True),
        ("material", "it touches wood.", False, "it touches nothing.", False, False),
        ("is activity", "no.", True, "yes.", False, True),
        ("is activity", "no.", True, "No", True, False),
        ("is activity", "yes.", False, "yes.", True, False),
        ("grasp", "it is held.", False, "it is lost.", False, False),
    ],
)
def test_answers_are_read(kind, answer, absent, text, right, invented):
    reply = judge(Asked(kind, "?", answer, absent), FACTS, text, 0.5, MATERIALS)
    assert (reply.right, reply.invented) == (right, invented)


def reply(activity, confidence, right, *, absent=False, invented=False):
    return Reply("is activity", activity, "", confidence, right, absent, invented)


REPLIES = [
    reply("lift", 0.9, True, absent=True),
    reply("lift", 0.8, True),
    reply("lift", 0.3, False, absent=True, invented=True),
    reply("idle", 0.6, False, absent=True, invented=True),
]


def test_measures():
    found = measures(REPLIES, 0.5, ["is activity"])["is activity"]
    assert found == {
        "count": 4,
        "accuracy": 0.5,
        "balanced_accuracy": pytest.approx((2 / 3 + 0) / 2),
        "invented": pytest.approx(2 / 3),  # of three questions about what is absent
        "answered": 0.75,
        "accuracy_answered": pytest.approx(2 / 3),
        "invented_abstaining": pytest.approx(1 / 3),
    }


def test_nothing_is_answered_above_every_confidence():
    found = measures(REPLIES, 0.95, ["is activity"])["is activity"]
    assert (found["answered"], found["accuracy_answered"]) == (0.0, None)


def test_the_threshold_is_the_least_that_keeps_the_accuracy():
    assert threshold(REPLIES, 1.0) == 0.8
    assert threshold(REPLIES, 0.6) == 0.6
    assert threshold(REPLIES, 0.5) == 0.0
    rng = np.random.default_rng(0)
    many = [reply("lift", float(c), bool(rng.random() < c)) for c in rng.random(4000)]
    least = threshold(many, 0.9)
    kept = [r.right for r in many if r.confidence >= least]
    assert np.mean(kept) == pytest.approx(0.9, abs=0.01)
