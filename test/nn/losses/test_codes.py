from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.code_alignment import code_alignment
from xmodal_ros.nn.losses.commitment import commitment
from xmodal_ros.nn.losses.separation import separation


def test_commitment_agrees_with_the_released_weights():
    features, own, paired = np.random.default_rng(0).normal(size=(3, 9, 4))
    found = commitment(*map(torch.from_numpy, (features, own, paired)))
    expected = 0.25 * (2 * np.mean((features - own) ** 2) + np.mean((features - paired) ** 2))
    assert float(found) == pytest.approx(expected)


def test_commitment_moves_features_only():
    features, own, paired = (torch.randn(3, 9, 4).requires_grad_() for _ in range(3))
    commitment(features, own, paired).backward()
    assert features.grad is not None
    assert own.grad is None
    assert paired.grad is None


def test_alignment_agrees_with_pair_by_pair():
    rng = np.random.default_rng(0)
    p, q = (x / x.sum(1, keepdims=True) for x in rng.random((2, 6, 10)))
    fit = np.array(
        [[p[i] @ np.log(q[j]) + q[i] @ np.log(p[j]) for j in range(6)] for i in range(6)]
    )
    expected = np.mean([np.log(np.exp(fit[i]).sum()) - fit[i, i] for i in range(6)])
    found = code_alignment(torch.from_numpy(np.log(p)), torch.from_numpy(np.log(q)))
    assert float(found) == pytest.approx(expected)


def test_alignment_of_features_that_all_choose_one_code_is_no_better_than_chance():
    same = torch.log_softmax(torch.tensor([[9.0, 0, 0]]).repeat(8, 1), dim=1)
    assert float(code_alignment(same, same)) == pytest.approx(np.log(8))


def test_separation_agrees_with_numpy():
    shared, specific = np.random.default_rng(0).normal(size=(2, 30, 64))
    found = separation(torch.from_numpy(shared), torch.from_numpy(specific))
    expected = np.linalg.norm(shared.T @ specific, "fro") / 64**2
    assert float(found) == pytest.approx(expected)


def test_separation_of_features_that_never_occur_together_is_zero():
    shared = torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    specific = torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    loss = separation(shared, specific)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(shared.grad).all()


def test_no_pairs_give_zero():
    nothing = torch.zeros(0, 4, requires_grad=True)
    for loss in (
        commitment(nothing, nothing, nothing),
        code_alignment(nothing, nothing),
        separation(nothing, nothing),
    ):
        assert float(loss.detach()) == 0
        loss.backward()
