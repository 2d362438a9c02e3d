from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.nn.losses.lovasz import lovasz_softmax


def jaccard_loss(wrong: set[int], truth: np.ndarray) -> float:
    """1 - IoU of a class if exactly the points `wrong` are mispredicted (equation 5)."""
    positive = set(np.flatnonzero(truth).tolist())
    return len(wrong) / len(positive | wrong) if wrong else 0.0


def by_definition(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The Lovász extension (equation 8), its set function evaluated for growing sets."""
    losses = []
    for c in np.unique(labels):
        truth = labels == c
        errors = np.where(truth, 1 - probabilities[:, c], probabilities[:, c])
        order = np.argsort(-errors)
        sets = [set(order[:k].tolist()) for k in range(len(order) + 1)]
        gains = [
            jaccard_loss(sets[k + 1], truth) - jaccard_loss(sets[k], truth)
            for k in range(len(order))
        ]
        losses.append(float(errors[order] @ gains))
    return float(np.mean(losses))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_definition(seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(4), size=9)
    labels = rng.integers(0, 3, 9)  # class 3 does not occur
    found = lovasz_softmax(torch.from_numpy(probabilities), torch.from_numpy(labels))
    assert float(found) == pytest.approx(by_definition(probabilities, labels))


def test_certain_predictions_cost_one_minus_iou():
    predicted = torch.tensor([0, 0, 1, 1, 2, 0])
    labels = torch.tensor([0, 1, 1, 1, 2, 2])
    loss = lovasz_softmax(torch.eye(3)[predicted], labels)
    iou = np.mean([1 / 3, 2 / 3, 1 / 2])
    assert float(loss) == pytest.approx(1 - iou)


def test_ignored_points_do_not_count():
    rng = np.random.default_rng(0)
    probabilities = torch.from_numpy(rng.dirichlet(np.ones(3), size=8))
    labels = torch.tensor([0, 255, 2, 1, 255, 0, 2, 1])
    kept = labels < 255
    assert lovasz_softmax(probabilities, labels) == lovasz_softmax(
        probabilities[kept], labels[kept]
    )


def test_nothing_labelled_gives_zero():
    probabilities = torch.rand(4, 3, requires_grad=True)
    loss = lovasz_softmax(probabilities, torch.full((4,), 255))
    loss.backward()
    assert loss.item() == 0


def test_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(6, 3))).requires_grad_()
    labels = torch.tensor([0, 1, 2, 0, 1, 1])
    assert torch.autograd.gradcheck(lambda x: lovasz_softmax(x.softmax(1), labels), (logits,))
