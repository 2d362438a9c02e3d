"""InfoNCE (arXiv 1807.03748, equation 4) with the other keys of the batch as negatives."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(
    queries: Tensor,
    keys: Tensor,
    temperature: float | Tensor = 0.07,
    ignored: Tensor | None = None,
) -> Tensor:
    """Each query must find its key among all keys of the batch.

    Args:
        queries: Shape: (batch, dim). Need not be normalized.
        keys: Of the same instances. Shape: (batch, dim).
        temperature: 0.07 in MoCo.
        ignored: Keys that a query is not compared with, such as those that mean the same. A
            query's own key always counts. Shape: (batch, batch), bool.

    Returns:
        Mean over the queries.
    """
    scores = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature  # (B, B)
    own = torch.arange(len(scores), device=scores.device)
    if ignored is not None:
        others = ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(ignored & others, float("-inf"))
    return F.cross_entropy(scores, own)


def symmetric_info_nce(
    first: Tensor,
    second: Tensor,
    temperature: float | Tensor = 0.07,
    ignored: Tensor | None = None,
) -> Tensor:
    """Mean of both directions, as in CLIP (arXiv 2103.00020, figure 3).

    Args:
        first: Shape: (batch, dim). Need not be normalized.
        second: Of the same instances in another modality. Shape: (batch, dim).
        temperature: Of both.
        ignored: Pairs that are not compared, `first` by `second`. Shape: (batch, batch), bool.
    """
    back = None if ignored is None else ignored.T
    there = info_nce(first, second, temperature, ignored)
    return (there + info_nce(second, first, temperature, back)) / 2
