"""What is read off the probabilities of one answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from xmodal_ros.core.probabilities import entropy, winner


def test_the_most_probable_class_wins() -> None:
    assert winner(np.array([0.2, 0.5, 0.3], np.float32), threshold=0.9) == 1


@pytest.mark.parametrize(("probability", "expected"), [(0.69, 0), (0.7, 1), (0.8, 1)])
def test_of_two_the_threshold_decides(probability: float, expected: int) -> None:
    values = np.array([1 - probability, probability], np.float32)
    assert winner(values, threshold=0.7) == expected


def test_entropy_is_scipys() -> None:
    for values in np.random.default_rng(0).dirichlet(np.ones(4), 5):
        assert entropy(values) == pytest.approx(stats.entropy(values))
    assert entropy(np.array([0.0, 1.0])) == 0.0
