"""Commitment of features to codes, as in VQ-VAE (arXiv 1711.00937), for two modalities."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def commitment(features: Tensor, own: Tensor, paired: Tensor, cost: float = 0.25) -> Tensor:
    """Features stay near their codes, and half as strongly near those of their partners.

    The weights are those of CMCR's released code: twice `cost` for the own code, once for the
    partner's.

    Args:
        features: Shape: (N, dim).
        own: Their codes; no gradient goes to them. Shape: (N, dim).
        paired: Codes of the same pairs in the other modality. Shape: (N, dim).
        cost: 0.25 in VQ-VAE and CMCR.

    Returns:
        Mean over features and dimensions; 0 of none.
    """
    if not len(features):
        return features.sum()
    return cost * (2 * F.mse_loss(features, own.detach()) + F.mse_loss(features, paired.detach()))
