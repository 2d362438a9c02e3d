"""Codebook that two modalities share: unit vectors that follow the features they stand for.

As in CMCR (arXiv 2412.08973): 400 codes of 64, moved by an exponential average to which a feature
and its partner of the other modality contribute half each, so that a code means the same in both.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SMALL = 1e-12  # squared distance below which the gradient of its root is not followed


class Quantized(NamedTuple):
    """Features as codes."""

    values: Tensor
    """The nearest codes; their gradients go straight to the features. Shape: (..., dim)."""
    code: Tensor
    """Which codes. Shape: (...,), int64."""


class Codebook(nn.Module):
    """Codes, learned without gradients by `update`.

    A code that no feature was nearest to for `patience` updates becomes one of the features at
    hand. Nothing is exchanged between processes; DDP gives all of them the codes of the first.

    Args:
        size: Codes.
        dim: Of a code.
        decay: Of the exponential average.
        patience: Updates; 300 in the code that CMCR's is made from, which leaves revival out.
    """

    codes: Tensor
    sums: Tensor
    unused: Tensor

    def __init__(
        self, size: int = 400, dim: int = 64, decay: float = 0.999, patience: int = 300
    ) -> None:
        super().__init__()
        self.decay, self.patience = decay, patience
        codes = F.normalize(torch.randn(size, dim), dim=1)
        self.register_buffer("codes", codes)
        self.register_buffer("sums", codes.clone())
        self.register_buffer("unused", torch.zeros(size, dtype=torch.int64))

    def forward(self, features: Tensor) -> Quantized:
        """Replace features by their nearest codes.

        Args:
            features: Unit length. Shape: (..., dim).
        """
        # Of unit vectors the nearest is the one with the largest product.
        index = (features.detach() @ self.codes.T).argmax(-1)
        return Quantized(features + (self.codes[index] - features).detach(), index)

    def log_posterior(self, features: Tensor, temperature: float = 1.0) -> Tensor:
        """Log of softmax(-distance / temperature) over the codes.

        Args:
            features: Shape: (N, dim).
            temperature: 1 in CMCR, where posteriors of unit vectors are all nearly uniform.

        Returns:
            Shape: (N, size).
        """
        squares = features.square().sum(1, keepdim=True) + self.codes.square().sum(1)
        squares = squares - 2 * features @ self.codes.T  # (N, size)
        return F.log_softmax(-squares.clamp(min=_SMALL).sqrt() / temperature, dim=1)

    @torch.no_grad()
    def update(
        self, first: Tensor, second: Tensor, generator: torch.Generator | None = None
    ) -> None:
        """Move the codes towards pairs of features.

        Args:
            first: Of one modality, unit length. Shape: (N, dim).
            second: Of the other, of the same pairs. Shape: (N, dim).
            generator: Chooses features for codes that nothing uses. On the CPU.
        """
        if not len(first):
            return
        mixed = (first + second).to(self.sums.dtype) / 2
        used = torch.zeros_like(self.unused, dtype=torch.bool)
        added = torch.zeros_like(self.sums)
        for features in (first, second):
            index = self(features).code
            added.index_add_(0, index, mixed)
            used[index] = True
        self.sums.mul_(self.decay).add_(added, alpha=1 - self.decay)
        self.unused.add_(1).masked_fill_(used, 0)
        self._revive(torch.cat([first, second]), generator)
        self.codes.copy_(F.normalize(self.sums, dim=1))

    def _revive(self, features: Tensor, generator: torch.Generator | None) -> None:
        dead = (self.unused >= self.patience).nonzero()[:, 0]
        order = torch.randperm(len(features), generator=generator)[: len(dead)]
        dead = dead[: len(order)]
        self.sums[dead] = features[order.to(features.device)].to(self.sums.dtype)
        self.unused[dead] = 0


def perplexity(index: Tensor, size: int) -> Tensor:
    """How many codes are in use: the exponential of the entropy of their shares.

    Args:
        index: Codes of some features, at least one. Shape: (...,), int64.
        size: Codes there are.
    """
    shares = torch.bincount(index.flatten(), minlength=size) / index.numel()
    return torch.special.entr(shares).sum().exp()
