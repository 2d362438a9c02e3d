from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.ntxent import ntxent


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def manual_ntxent(first: np.ndarray, second: np.ndarray, temperature: float) -> float:
    """Equation 1 of the SimCLR paper, pair by pair."""
    views, count = unit(np.concatenate([first, second])), len(first)
    losses = []
    for i in range(2 * count):
        scores = {k: views[i] @ views[k] / temperature for k in range(2 * count) if k != i}
        partner = (i + count) % (2 * count)
        losses.append(-scores[partner] + np.log(sum(np.exp(s) for s in scores.values())))
    return float(np.mean(losses))


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_agrees_with_the_papers_formula(temperature):
    first, second = np.random.default_rng(0).normal(size=(2, 6, 4))
    loss = ntxent(torch.from_numpy(first), torch.from_numpy(second), temperature)
    assert float(loss) == pytest.approx(manual_ntxent(first, second, temperature))


def test_closed_form():
    same = torch.ones(4, 3)
    assert float(ntxent(same, same)) == pytest.approx(np.log(7))  # 2 * 4 - 1 equal candidates


def test_matched_pairs_score_better_than_shuffled_ones():
    views = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    assert ntxent(views, views) < ntxent(views, views.roll(1, 0))
