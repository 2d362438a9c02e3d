"""Deciding about a grasp from predictions over time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xmodal_ros.core.assess import TIME_CONSTANT_S, Decision, Evidence, Terms
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.types import HeadPrediction

STEP_NS = 40_000_000


def said(probability: float, threshold: float = 0.5, abstain_below: float = 0.0) -> HeadPrediction:
    probabilities = np.array([1 - probability, probability], np.float32)
    return HeadPrediction(
        "grasp",
        ("fail", "success"),
        probabilities,
        class_id=int(probability >= threshold),
        entropy=0.0,
        abstained=False,
        used=2,
        expected=2,
        threshold=threshold,
        abstain_below=abstain_below,
    )


@pytest.mark.parametrize(
    ("terms", "head", "decision"),
    [
        ({}, said(0.9), Decision.HOLD),
        ({}, said(0.1), Decision.REGRASP),
        ({}, said(0.6, threshold=0.7), Decision.REGRASP),  # the bundle's own values
        ({}, said(0.6, abstain_below=0.7), Decision.UNSURE),
        ({"min_confidence": 0.8}, said(0.79), Decision.UNSURE),
        ({"min_confidence": 0.8}, said(0.81), Decision.HOLD),
        ({"min_confidence": 0.8}, said(0.19), Decision.REGRASP),
        ({"min_confidence": 0.5}, said(0.6, abstain_below=0.9), Decision.HOLD),
        ({"threshold": 0.7}, said(0.65), Decision.REGRASP),
        ({"threshold": 0.2}, said(0.25), Decision.HOLD),
        # Below the threshold, and yet more likely to hold than not: neither answer is likely.
        ({"threshold": 0.9, "min_confidence": 0.6}, said(0.8), Decision.UNSURE),
    ],
)
def test_one_prediction(terms, head, decision) -> None:
    assert Evidence(Terms(1.0, **terms)).add(STEP_NS, head) == decision


def test_predictions_are_averaged_by_their_stamps() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(size=20).astype(np.float32)
    stamps = np.cumsum(rng.integers(1, 10, 20)) * STEP_NS
    evidence = Evidence(Terms(1.0, min_confidence=1.0))
    for stamp, value in zip(stamps.tolist(), values.tolist(), strict=True):
        evidence.add(stamp, said(value))

    # As weights: each kept by what came after it, and the first one has no past to share with.
    age_s = (stamps[-1] - stamps) * 1e-9
    fresh = np.append(1.0, 1 - np.exp(-np.diff(stamps) * 1e-9 / TIME_CONSTANT_S))
    weights = fresh * np.exp(-age_s / TIME_CONSTANT_S)
    assert weights.sum() == pytest.approx(1)
    assert evidence.probability == pytest.approx(weights @ values, rel=1e-6)
    assert evidence.observations == 20


def test_many_hunches_are_no_certainty() -> None:
    evidence = Evidence(Terms(1.0, min_confidence=0.8))
    for step in range(100):
        assert evidence.add(step * STEP_NS, said(0.7)) == Decision.UNSURE
    assert evidence.probability == pytest.approx(0.7)


def test_one_flicker_does_not_decide_but_a_change_does() -> None:
    evidence = Evidence(Terms(1.0, min_confidence=0.7))
    for step in range(10):
        evidence.add(step * STEP_NS, said(0.5))
    assert evidence.add(10 * STEP_NS, said(0.02)) == Decision.UNSURE
    decisions = [evidence.add(step * STEP_NS, said(0.02)) for step in range(11, 20)]
    assert decisions[-1] == Decision.REGRASP


def test_a_clock_set_back_begins_anew() -> None:
    evidence = Evidence(Terms(1.0, min_confidence=0.8))
    evidence.add(10**9, said(0.6))
    assert evidence.add(1, said(0.9)) == Decision.HOLD
    assert evidence.probability == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"timeout_s": 0.0}, "timeout: got 0 s; expected more than 0 s"),
        ({"timeout_s": -1.0}, "timeout: got -1 s"),
        ({"timeout_s": math.nan}, "timeout: got nan s"),
        ({"timeout_s": math.inf}, "timeout: got inf s"),
        ({"min_confidence": 0.3}, "min_confidence: got 0.3; expected a value from 0.5 to 1, or 0"),
        ({"min_confidence": math.nan}, "min_confidence: got nan"),
        ({"threshold": 1.1}, "threshold: got 1.1; expected a value from 0 to 1, where 0 is the"),
        ({"threshold": math.nan}, "threshold: got nan"),
    ],
)
def test_terms_that_nothing_can_meet_are_refused(values, text) -> None:
    with pytest.raises(SettingsError) as caught:
        Terms(**{"timeout_s": 1.0, **values})
    assert str(caught.value).startswith(text)
