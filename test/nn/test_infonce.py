"""InfoNCE against the formula, query by query."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.infonce import info_nce, symmetric_info_nce

COUNT, TEMPERATURE = 6, 0.2


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray]:
    first, second = np.random.default_rng(0).normal(size=(2, COUNT, 4))
    return first, second


def manual(queries: np.ndarray, keys: np.ndarray, ignored: np.ndarray) -> float:
    losses = []
    for i, query in enumerate(queries):
        norms = np.linalg.norm(keys, axis=1) * np.linalg.norm(query)
        scores = keys @ query / norms / TEMPERATURE
        counted = [k for k in range(len(keys)) if k == i or not ignored[i, k]]
        losses.append(-scores[i] + np.log(np.exp(scores[counted]).sum()))
    return float(np.mean(losses))


def test_one_direction_with_and_without_pairs_that_are_not_compared(pairs) -> None:
    queries, keys = pairs
    ignored = np.random.default_rng(1).random((COUNT, COUNT)) < 0.4
    ignored[2, 2] = True  # a query's own key always counts
    given = [torch.from_numpy(x) for x in (queries, keys)]
    nothing = np.zeros((COUNT, COUNT), bool)
    assert float(info_nce(*given, TEMPERATURE)) == pytest.approx(manual(queries, keys, nothing))
    found = info_nce(*given, TEMPERATURE, torch.from_numpy(ignored))
    assert float(found) == pytest.approx(manual(queries, keys, ignored))


def test_both_directions_are_averaged(pairs) -> None:
    first, second = pairs
    ignored = np.random.default_rng(1).random((COUNT, COUNT)) < 0.4
    found = symmetric_info_nce(
        torch.from_numpy(first), torch.from_numpy(second), TEMPERATURE, torch.from_numpy(ignored)
    )
    there, back = manual(first, second, ignored), manual(second, first, ignored.T)
    assert float(found) == pytest.approx((there + back) / 2)


def test_the_temperature_can_be_learned(pairs) -> None:
    scale = torch.tensor(1.0, requires_grad=True)
    symmetric_info_nce(*(torch.from_numpy(x) for x in pairs), torch.exp(-scale)).backward()
    assert scale.grad is not None
    assert scale.grad != 0
