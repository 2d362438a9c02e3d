"""Losses with several positives, against plain numpy and a loss that has one."""

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.infonce import info_nce
from xmodal_ros.nn.losses.several_positives import several_info_nce, sigmoid_pairs


def test_several_info_nce_is_infonce_with_one_positive() -> None:
    torch.manual_seed(0)
    queries, keys = torch.randn(6, 8), torch.randn(6, 8)
    unit = torch.nn.functional.normalize
    scores = unit(queries, dim=1) @ unit(keys, dim=1).T / 0.07
    own = torch.eye(6, dtype=torch.bool)
    found = several_info_nce(scores, own, ~own)
    torch.testing.assert_close(found, info_nce(queries, keys, 0.07))


def test_several_info_nce_takes_the_mean_of_each_positive_among_all_candidates() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(4, 7))
    positives = np.zeros((4, 7), bool)
    positives[0, [1, 3]] = positives[1, 2] = positives[3, [0, 5, 6]] = True  # row 2 has none
    candidates = ~positives
    candidates[0, 4] = False  # neither: of no matter
    expected = []
    for row in (0, 1, 3):
        used = positives[row] | candidates[row]
        total = np.log(np.exp(scores[row][used]).sum())
        expected.append(np.mean([total - s for s in scores[row][positives[row]]]))
    found = several_info_nce(*map(torch.from_numpy, (scores, positives, candidates)))
    assert found.item() == pytest.approx(np.mean(expected))


def test_sigmoid_pairs_sums_the_pairs_of_an_anchor() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(3, 5))
    positives = np.zeros((3, 5), bool)
    positives[0, 1] = positives[1, [0, 2]] = True
    candidates = ~positives
    candidates[1, 4] = False
    expected = []
    for row in (0, 1):
        same = np.log1p(np.exp(-scores[row][positives[row]])).sum()
        other = np.log1p(np.exp(scores[row][candidates[row]])).sum()
        expected.append(same + other)
    found = sigmoid_pairs(*map(torch.from_numpy, (scores, positives, candidates)))
    assert found.item() == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("loss", [several_info_nce, sigmoid_pairs])
def test_a_batch_without_positives_costs_nothing_and_can_be_learned_from(loss) -> None:
    scores = torch.randn(3, 3, requires_grad=True)
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    found = loss(scores, nothing, ~nothing)
    found.backward()
    assert found.item() == 0
    assert not scores.grad.any()
