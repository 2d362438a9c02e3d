"""InfoNCE (arXiv 1807.03748, equation 4) with the other keys of the batch as negatives."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(queries: Tensor, keys: Tensor, temperature: float = 0.07) -> Tensor:
    """Each query must find its key among all keys of the batch.

    Args:
        queries: Shape: (batch, dim). Need not be normalized.
        keys: Of the same instances. Shape: (batch, dim).
        temperature: 0.07 in MoCo.

    Returns:
        Mean over the queries.
    """
    scores = F.normalize(queries, dim=1) @ F.normalize(keys, dim=1).T / temperature  # (B, B)
    return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))
