"""Scores against hand-made values and other libraries' figures."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAUROC, MulticlassCalibrationError

from xmodal_ros.eval.metrics import (
    calibration_floor,
    expected_calibration_error,
    risk_by_coverage,
    score,
)


def random_case(classes, n=400, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes)) * 2
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(classes, p=row) for row in p])
    return p.astype(np.float32), labels


def test_hand_made_values():
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    labels = np.array([0, 0, 1, 1])
    s = score(p, labels)
    assert s.count == 4
    assert s.accuracy == 0.75
    assert s.balanced_accuracy == 0.75
    assert s.auc == 1.0
    assert s.nll == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.7]).mean())
    assert s.brier == pytest.approx(2 * np.mean([0.01, 0.36, 0.04, 0.09]))
    assert s.confusion.tolist() == [[1, 1], [0, 2]]
    assert s.plain()["balanced_accuracy"] == 0.75
    assert "confusion" not in s.plain()


@pytest.mark.parametrize("classes", [2, 5, 18])
def test_calibration_error_equals_torchmetrics(classes):
    p, labels = random_case(classes)
    oracle = MulticlassCalibrationError(classes, n_bins=15)(torch.tensor(p), torch.tensor(labels))
    assert expected_calibration_error(p, labels) == pytest.approx(float(oracle), abs=1e-6)


def test_floor_is_what_labels_drawn_from_the_probabilities_show():
    p, _ = random_case(4, n=300)
    rng = np.random.default_rng(1)
    drawn = [[rng.choice(4, p=row / row.sum()) for row in p.astype(float)] for _ in range(60)]
    shown = np.mean([expected_calibration_error(p, np.array(labels)) for labels in drawn])
    assert calibration_floor(p) == pytest.approx(shown, rel=0.1)


def test_floor_falls_with_the_root_of_the_number_of_examples():
    p, _ = random_case(3)
    assert calibration_floor(np.tile(p, (4, 1))) == pytest.approx(
        calibration_floor(p) / 2, rel=0.1
    )


def test_auc_of_several_classes_equals_torchmetrics():
    p, labels = random_case(5)
    oracle = MulticlassAUROC(5)(torch.tensor(p), torch.tensor(labels))
    assert score(p, labels).auc == pytest.approx(float(oracle), abs=1e-6)


def test_a_class_that_never_occurs_is_left_out_of_the_means():
    p, labels = random_case(3)
    padded = np.concatenate([p, np.zeros((len(p), 1), np.float32)], axis=1)
    assert score(padded, labels).auc == pytest.approx(score(p, labels).auc)
    assert score(padded, labels).balanced_accuracy == score(p, labels).balanced_accuracy


def test_auc_is_undefined_with_one_class():
    p, _ = random_case(2)
    s = score(p, np.ones(len(p), int))
    assert np.isnan(s.auc)
    assert s.accuracy == pytest.approx((p[:, 1] > 0.5).mean())


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(2,\)"):
        score(np.ones((3, 2)), np.zeros(2, int))


def test_risk_is_the_share_of_wrong_answers_among_the_most_trusted():
    trust, wrong = np.array([0.2, 0.9, 0.5, 0.7]), np.array([True, False, True, False])
    np.testing.assert_allclose(risk_by_coverage(trust, wrong), [0, 0, 1 / 3, 1 / 2])
    np.testing.assert_allclose(risk_by_coverage(-trust, wrong), [1, 1, 2 / 3, 1 / 2])


def test_answers_that_are_trusted_alike_are_not_told_apart():
    wrong = np.array([True, False, False, True, False])
    trust = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(risk_by_coverage(trust, wrong), [1 / 3, 1 / 3, 1 / 3, 3 / 8, 2 / 5])
    np.testing.assert_allclose(risk_by_coverage(np.zeros(5), wrong), np.full(5, 0.4))
