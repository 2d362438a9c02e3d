"""Symmetric InfoNCE between two modalities, the loss of CLIP (arXiv 2103.00020, figure 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def infonce(first: Tensor, second: Tensor, temperature: Tensor | float = 0.07) -> Tensor:
    """Row i of one modality belongs to row i of the other; mean of both directions.

    Args:
        first: Shape: (batch, dim). Need not be normalized.
        second: Shape: (batch, dim).
        temperature: A number, or a learned scalar.
    """
    scores = F.normalize(first, dim=1) @ F.normalize(second, dim=1).T / temperature
    target = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2
