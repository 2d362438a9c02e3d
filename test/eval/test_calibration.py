"""The fitted temperature against the one that made the logits, and against a fine search."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from xmodal_ros.eval.calibration import fit_temperature
from xmodal_ros.eval.metrics import expected_calibration_error


def overconfident(factor, n=4000, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(n, classes)) * 2
    labels = np.array([rng.choice(classes, p=row) for row in softmax(honest, axis=1)])
    return honest * factor, labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_finds_the_factor_of_overconfidence(factor):
    logits, labels = overconfident(factor)
    assert fit_temperature(logits, labels) == pytest.approx(factor, rel=0.06)


def test_equals_a_fine_search():
    logits, labels = overconfident(2.5, n=300)
    grid = np.linspace(0.5, 6, 5501)
    nll = [-log_softmax(logits / t, axis=1)[np.arange(300), labels].mean() for t in grid]
    assert fit_temperature(logits, labels) == pytest.approx(grid[np.argmin(nll)], abs=2e-3)


def test_lowers_the_calibration_error():
    logits, labels = overconfident(3.0)
    before = expected_calibration_error(softmax(logits, axis=1), labels)
    after = expected_calibration_error(
        softmax(logits / fit_temperature(logits, labels), axis=1), labels
    )
    assert after < before / 3


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected logits"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))
