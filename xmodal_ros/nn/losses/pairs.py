"""NT-Xent between and within two modalities: what stage 1 of ConViTac minimizes (our reading)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from xmodal_ros.nn.losses.ntxent import ntxent


@dataclass(frozen=True)
class Weights:
    """How much each term counts; a term of weight 0 is not computed."""

    camera: float
    tactile: float
    cross: float

    @property
    def views(self) -> int:
        """Views of an image that the terms need: terms within a modality compare two."""
        return 2 if self.camera or self.tactile else 1


@dataclass(frozen=True)
class PairLoss:
    """The weighted sum, and its terms before weighting; terms of weight 0 are missing."""

    total: Tensor
    terms: dict[str, Tensor]


def pair_ntxent(
    camera: Tensor, tactile: Tensor, weights: Weights, temperature: float = 0.1
) -> PairLoss:
    """NT-Xent among views of one modality, and between the two images of a pair.

    Across modalities view i of a camera image and view i of its gel image are partners; their
    candidates are all other images of both modalities, as NT-Xent has it.

    Args:
        camera: Shape: (views, batch, dim). Need not be normalized.
        tactile: Shape: (views, batch, dim).
        weights: Of the three terms.
        temperature: Of all terms.
    """
    terms = {}
    if weights.camera:
        terms["camera"] = ntxent(camera[0], camera[1], temperature)
    if weights.tactile:
        terms["tactile"] = ntxent(tactile[0], tactile[1], temperature)
    if weights.cross:
        across = [ntxent(c, t, temperature) for c, t in zip(camera, tactile, strict=True)]
        terms["cross"] = sum(across[1:], across[0]) / len(across)
    return weighted(terms, weights)


def weighted(terms: dict[str, Tensor], weights: Weights) -> PairLoss:
    """Sum terms, by their names among the weights."""
    parts = [getattr(weights, name) * term for name, term in terms.items()]
    return PairLoss(sum(parts[1:], parts[0]), terms)
