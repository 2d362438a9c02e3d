from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.infonce import infonce
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


def manual_infonce(first: np.ndarray, second: np.ndarray, temperature: float) -> float:
    """The pseudocode of the CLIP paper's figure 3."""
    scores = unit(first) @ unit(second).T / temperature
    rows = np.log(np.exp(scores).sum(1)) - np.diag(scores)
    columns = np.log(np.exp(scores).sum(0)) - np.diag(scores)
    return float((rows.mean() + columns.mean()) / 2)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize(("loss", "oracle"), [(ntxent, manual_ntxent), (infonce, manual_infonce)])
def test_agrees_with_the_papers_formula(loss, oracle, temperature):
    first, second = np.random.default_rng(0).normal(size=(2, 6, 4))
    ours = loss(torch.from_numpy(first), torch.from_numpy(second), temperature)
    assert float(ours) == pytest.approx(oracle(first, second, temperature))


def test_closed_forms():
    same = torch.ones(4, 3)
    assert float(ntxent(same, same)) == pytest.approx(np.log(7))  # 2 * 4 - 1 equal candidates
    assert float(infonce(same, same)) == pytest.approx(np.log(4))


def test_matched_pairs_score_better_than_shuffled_ones():
    views = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    assert ntxent(views, views) < ntxent(views, views.roll(1, 0))
    assert infonce(views, views) < infonce(views, views.roll(1, 0))


def test_infonce_learns_its_temperature():
    temperature = torch.tensor(0.07, requires_grad=True)
    infonce(torch.randn(4, 8), torch.randn(4, 8), temperature).backward()
    assert temperature.grad.abs() > 0
