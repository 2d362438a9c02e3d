"""The four terms of MViTac (Dave et al., arXiv 2401.12024): InfoNCE within and between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from xmodal_ros.nn.losses.infonce import info_nce
from xmodal_ros.nn.losses.pairs import PairLoss, Weights, weighted


class Projected(NamedTuple):
    """Images of one modality in the space of its own views, and in that of both modalities."""

    within: Tensor
    """Shape: (batch, dim)."""
    across: Tensor
    """Shape: (batch, dim)."""


def mvitac(
    queries: Mapping[str, Projected],
    keys: Mapping[str, Projected],
    weights: Weights,
    temperature: float = 0.07,
) -> PairLoss:
    """L_vv + L_tt + L_vt + L_tv, where all weights are 1.

    Keys come from momentum encoders and another view. The paper's InfoNCE, whose candidates are
    the batch's keys; the authors' released code (ligerfotis/mvitac) computes NT-Xent among queries
    and keys in its place, with the temperature of the paper.

    Args:
        queries: Of `camera` and `tactile`; these have gradients.
        keys: Of the same pairs.
        weights: `camera` of L_vv, `tactile` of L_tt, `cross` of the sum of L_vt and L_tv.
        temperature: Of all terms.
    """
    terms = {}
    for name in ("camera", "tactile"):
        if getattr(weights, name):
            terms[name] = info_nce(queries[name].within, keys[name].within, temperature)
    if weights.cross:
        terms["cross"] = info_nce(
            queries["camera"].across, keys["tactile"].across, temperature
        ) + info_nce(queries["tactile"].across, keys["camera"].across, temperature)
    return weighted(terms, weights)
