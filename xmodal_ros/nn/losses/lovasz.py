"""Lovász-softmax: a surrogate of the mean intersection over union (arXiv 1705.08790)."""

from __future__ import annotations

import torch
from torch import Tensor


def lovasz_softmax(probabilities: Tensor, labels: Tensor, ignored: int = 255) -> Tensor:
    """Mean over the classes that occur of the Lovász extension of 1 - IoU.

    Args:
        probabilities: After softmax. Shape: (N, classes).
        labels: Shape: (N,), int64.
        ignored: Label of points that do not count; 255 as in `data.point_cloud`.

    Returns:
        0 where no label counts.
    """
    counts = labels != ignored
    probabilities, labels = probabilities[counts], labels[counts]
    classes = labels.unique()
    if not len(classes):
        return probabilities.sum()
    truth = (labels[:, None] == classes).to(probabilities.dtype)  # (N, present)
    errors = (truth - probabilities[:, classes]).abs()
    errors, order = errors.sort(dim=0, descending=True)
    return (errors * _gradient(truth.gather(0, order))).sum(0).mean()


def _gradient(truth: Tensor) -> Tensor:
    """How 1 - IoU grows with each further point that is wrong. Shape: (N, classes), sorted."""
    union = truth.sum(0) + (1 - truth).cumsum(0)
    loss = 1 - (truth.sum(0) - truth.cumsum(0)) / union
    return torch.cat([loss[:1], loss[1:] - loss[:-1]])
