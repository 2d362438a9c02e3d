"""How good a contrastive embedding is: alignment, uniformity and retrieval across modalities."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LIMIT = 1024
"""Pairs that are measured: distances of all pairs take memory by their square."""


def measure(camera: Tensor, tactile: Tensor) -> dict[str, float]:
    """Measures of a batch of pairs, of its first `LIMIT`.

    Args:
        camera: Shape: (batch, dim). Need not be normalized.
        tactile: Of the same pairs. Shape: (batch, dim).

    Returns:
        `alignment`, the mean squared distance of partners, and `uniformity`, the logarithm of the
        mean Gaussian potential of other pairs of one modality, mean of both (Wang & Isola,
        arXiv 2005.10242, alpha 2 and t 2), both better when lower; `recall_tactile`, how often a
        camera image's nearest gel image is its partner, and `recall_camera`, the reverse.
    """
    camera, tactile = (F.normalize(x[:LIMIT].detach().float(), dim=1) for x in (camera, tactile))
    scores = camera @ tactile.T
    partner = torch.arange(len(camera), device=camera.device)
    measures = {
        "alignment": (camera - tactile).square().sum(1).mean(),
        "uniformity": (_uniformity(camera) + _uniformity(tactile)) / 2,
        "recall_tactile": (scores.argmax(1) == partner).float().mean(),
        "recall_camera": (scores.argmax(0) == partner).float().mean(),
    }
    return {name: float(value) for name, value in measures.items()}


def _uniformity(x: Tensor) -> Tensor:
    return torch.pdist(x).square().mul(-2).exp().mean().log()
