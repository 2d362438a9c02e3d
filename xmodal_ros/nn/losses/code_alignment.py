"""Cross-modal code matching (arXiv 2106.05438): partners see the codes in the same way."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def code_alignment(first: Tensor, second: Tensor) -> Tensor:
    """Each pair's posteriors over the codes must fit each other better than those of other pairs.

    The fit of i and j is the negative cross entropy between their posteriors, in both directions.
    Candidates keep all features from choosing one code, which would fit as well.

    Args:
        first: Log posteriors of `Codebook.log_posterior`. Shape: (N, codes).
        second: Of the other modality, of the same pairs. Shape: (N, codes).

    Returns:
        Mean over the pairs; 0 of none.
    """
    if not len(first):
        return first.sum()
    fit = first.exp() @ second.T + second.exp() @ first.T  # (N, N)
    return F.cross_entropy(fit, torch.arange(len(fit), device=fit.device))
