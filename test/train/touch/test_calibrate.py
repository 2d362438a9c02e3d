from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.train.touch.calibrate import (
    best_threshold,
    calibrate,
    least_confidence,
    some_of,
    subset_temperatures,
)


def test_overconfident_logits_are_cooled_down() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 4000)
    honest = rng.normal(size=(4000, 3)) + 1.5 * np.eye(3)[labels]  # log-odds 1.5 per unit
    found = calibrate({"material": 4 * 1.5 * honest}, {"material": labels}, 0.0)
    assert found.temperatures["material"] == pytest.approx(4.0, rel=0.1)
    assert (found.thresholds, found.abstain_below) == ({}, {"material": 0.0})


def test_heads_without_labels_are_left_out() -> None:
    logits = {"grasp": np.eye(2)[[0, 1, 1]], "hardness": np.eye(2)[[0, 1, 1]]}
    labels = {"grasp": np.array([0, 1, -1]), "hardness": np.full(3, -1)}
    assert calibrate(logits, labels, 0.0).temperatures.keys() == {"grasp"}


def test_the_threshold_has_the_best_balanced_accuracy() -> None:
    probabilities = np.array([0.05, 0.1, 0.2, 0.25, 0.3, 0.9])
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert 0.2 < best_threshold(probabilities, labels) <= 0.25


@pytest.mark.parametrize(
    ("accuracy", "expected"), [(0.0, 0.0), (0.5, 0.0), (0.6, 0.7), (1.0, 0.9)]
)
def test_a_head_abstains_where_the_rest_is_good_enough(accuracy, expected) -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    right = np.array([True, False, True, False])
    assert least_confidence(confidence, right, accuracy) == pytest.approx(expected)


def test_a_head_that_is_never_right_always_abstains() -> None:
    assert least_confidence(np.array([0.9]), np.array([False]), 0.5) == 1.0


def test_confidence_is_that_of_the_class_decided_for() -> None:
    odds = np.random.default_rng(0).uniform(0.02, 0.4, 400)
    logits = np.stack([np.zeros(400), np.log(odds / (1 - odds))], axis=1)
    labels = (odds >= 0.2).astype(np.int64)
    found = calibrate({"grasp": logits}, {"grasp": labels}, 1.0)
    # With the threshold all answers are right, though class 0 is always more probable.
    assert found.abstain_below["grasp"] == 0.0


def test_subsets_have_a_temperature_of_their_own_where_it_differs() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 4000)
    labels[:50] = -1
    honest = 1.5 * (rng.normal(size=(4000, 3)) + 1.5 * np.eye(3)[labels])
    present = {"camera": np.ones(4000, bool), "gel": np.arange(4000) < 3000}

    # Without the gel it is too sure of itself; where there is no gel, nothing can be fitted.
    wrong = np.where(present["gel"][:, None], honest, -9 * honest)
    logits = {("camera",): {"material": 3 * honest}, ("gel",): {"material": wrong}}
    assert list(logits) == some_of(tuple(present))

    found = subset_temperatures(logits, {"material": labels}, present, {"material": 1.0})
    ((names, value),) = found["material"]
    assert names == "camera"
    assert value == pytest.approx(3, rel=0.1)
