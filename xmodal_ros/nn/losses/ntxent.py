"""NT-Xent, the loss of SimCLR (arXiv 2002.05709, equation 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ntxent(first: Tensor, second: Tensor, temperature: float = 0.1) -> Tensor:
    """Each view must find its partner among all other views of the batch.

    Args:
        first: Shape: (batch, dim). Need not be normalized.
        second: The other view of the same instances. Shape: (batch, dim).
        temperature: 0.1 in SLIP, 0.5 in lightly.

    Returns:
        Mean over the 2 * batch views.
    """
    views = F.normalize(torch.cat([first, second]), dim=1)  # (2B, d)
    scores = views @ views.T / temperature
    scores.fill_diagonal_(float("-inf"))  # a view is not its own candidate
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return F.cross_entropy(scores, partner)
