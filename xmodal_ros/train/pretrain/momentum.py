"""MViTac's encoders: those that learn, and copies that follow them slowly and give the keys."""

from __future__ import annotations

import torch
from torch import Tensor

from xmodal_ros.nn.losses.mvitac import Projected
from xmodal_ros.train.pretrain.model import PairEncoder
from xmodal_ros.train.pretrain.pairs import MODALITIES
from xmodal_ros.train.pretrain.settings import EncoderSettings

SPACES = {name: (name, f"{name}_across") for name in MODALITIES}
"""Names of the projection heads of a modality: for its own views, and for both modalities."""


class MomentumPairEncoder(PairEncoder):
    """Encoders with two projection heads per modality, and copies of all of it.

    After MViTac (arXiv 2401.12024, equations 1 to 3). Our reading: the heads are those of SimCLR,
    with BatchNorm, and both heads of a copy follow; in the authors' released code
    (ligerfotis/mvitac) the copies' second heads stay random, and nothing calls the update.

    Args:
        settings: Of the encoders.
        momentum: Share that a copy keeps of itself in a step.
    """

    def __init__(self, settings: EncoderSettings, momentum: float) -> None:
        spaces = [space for both in SPACES.values() for space in both]
        super().__init__(settings, spaces)
        self.momentum = momentum
        keys = PairEncoder(settings, spaces)
        keys.load_state_dict(self.state_dict())
        self.keys = keys.requires_grad_(False)

    @torch.no_grad()
    def follow(self) -> None:
        """Move the copies a little towards what has learned."""
        learned = [*self.encoders.parameters(), *self.projections.parameters()]
        for parameter, key in zip(learned, self.keys.parameters(), strict=True):
            key.mul_(self.momentum).add_(parameter, alpha=1 - self.momentum)


def project_both(model: PairEncoder, modality: str, embeddings: Tensor) -> Projected:
    """Both projections of one view. Shape: (1, batch, dim) -> (batch, projection) each."""
    within, across = (model.project(space, embeddings)[0] for space in SPACES[modality])
    return Projected(within, across)
