"""Fusions of streams without conditioning, which CEC is compared with.

Each is made from `Trunk` and the number of streams, reads the tokens of every stream, and gives
one feature of the same size as CEC does. A stream that is absent never matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.nn.architecture import Trunk
from xmodal_ros.nn.block import Attention
from xmodal_ros.nn.masking import hide, join, mask_bias, masked_mean


class Mean(nn.Module):
    """Mean of all tokens, LayerNorm: what is left of CEC when it is switched off."""

    def __init__(self, trunk: Trunk, streams: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(trunk.dim)

    def forward(self, tokens: Sequence[Tensor], present: Tensor) -> Tensor:
        """Shapes: per stream (batch, tokens, dim), (batch, streams) -> (batch, dim)."""
        return self.norm(masked_mean(*join(tokens, present)))


class Concat(nn.Module):
    """Pooled features of all streams side by side, then an MLP.

    The "direct combination" that ConViTac (arXiv 2506.20757) is set against. Our reading: tokens
    are pooled by their mean, an absent stream is zero, and the MLP has one hidden layer, so that
    with three streams it has as many weights as CEC.
    """

    def __init__(self, trunk: Trunk, streams: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(streams * trunk.dim, trunk.dim), nn.GELU(), nn.Linear(trunk.dim, trunk.dim)
        )
        self.norm = nn.LayerNorm(trunk.dim)

    def forward(self, tokens: Sequence[Tensor], present: Tensor) -> Tensor:
        """Shapes: per stream (batch, tokens, dim), (batch, streams) -> (batch, dim)."""
        pooled = torch.stack([t.mean(1) for t in tokens], dim=1)  # (B, S, d)
        return self.norm(self.mlp(hide(pooled, present).flatten(1)))  # (B, S * d) -> (B, d)


class SelfAttention(nn.Module):
    """Self-attention over the tokens of all streams, then their mean: after VTFSA.

    VTFSA (Cui et al., "Self-Attention Based Visual-Tactile Fusion Learning for Predicting Grasp
    Outcomes", RA-L 2020; cui-shaowei/VTFSA) puts every place of the camera's 7 x 7 map beside
    every place of the gel's, and lets these 2401 pairs attend to each other with one head, an
    eighth of the width and a learned share of the residual that begins at 0. Our reading, which
    takes any number of streams: the tokens themselves attend to each other, so that all pairs
    meet in the scores, with the heads and width of CEC and a plain residual.
    """

    def __init__(self, trunk: Trunk, streams: int) -> None:
        super().__init__()
        self.attention = Attention(trunk.dim, trunk.attention_heads)
        self.norm = nn.LayerNorm(trunk.dim)

    def forward(self, tokens: Sequence[Tensor], present: Tensor) -> Tensor:
        """Shapes: per stream (batch, tokens, dim), (batch, streams) -> (batch, dim)."""
        x, mask = join(tokens, present)
        x = hide(x, mask)
        return self.norm(masked_mean(x + self.attention(x, x, mask_bias(mask, x)), mask))


class Gate(nn.Module):
    """A weight for each stream, learned and different for each example, of its pooled tokens.

    What arXiv 2308.16493 leaves open, which weighs unit-length features of vision and IMU 1:1. Our
    reading: tokens are pooled by their mean and brought to unit length, a hidden layer that sees
    all of them gives the weights, and an absent stream has none.
    """

    def __init__(self, trunk: Trunk, streams: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(streams * trunk.dim, trunk.dim), nn.GELU(), nn.Linear(trunk.dim, streams)
        )
        self.norm = nn.LayerNorm(trunk.dim)

    def forward(self, tokens: Sequence[Tensor], present: Tensor) -> Tensor:
        """Shapes: per stream (batch, tokens, dim), (batch, streams) -> (batch, dim)."""
        pooled = hide(torch.stack([t.mean(1) for t in tokens], dim=1), present)  # (B, S, d)
        pooled = F.normalize(pooled, dim=2)
        scores = self.weigh(pooled.flatten(1)) + mask_bias(present, pooled)[:, 0, 0]
        weights = scores.softmax(1)[:, :, None]  # (B, S) -> (B, S, 1)
        return self.norm((weights * pooled).sum(1))


PEERS: dict[str, type[Mean] | type[Concat] | type[SelfAttention] | type[Gate]] = {
    "mean": Mean,
    "concat": Concat,
    "self_attention": SelfAttention,
    "gate": Gate,
}
