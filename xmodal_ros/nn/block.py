"""Transformer block shared by the IMU encoder and the temporal attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QuickGELU(nn.Module):
    """`x * sigmoid(1.702 x)`, the activation of CLIP's transformers."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return x * torch.sigmoid(1.702 * x)


class TokenBatchNorm(nn.Module):
    """Batch normalization of the channels of tokens, in place of LayerNorm (arXiv 2308.16493)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (batch, tokens, width) -> the same."""
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


NORMS: dict[str, type[nn.Module]] = {"batch": TokenBatchNorm, "layer": nn.LayerNorm}


class Attention(nn.Module):
    """Multi-head attention of queries over keys with an optional mask.

    Args:
        width: Channels of queries, keys, values and output.
        heads: Attention heads; divides `width`.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, bias: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            queries: Shape: (batch, Q, width).
            keys: Keys and values. Shape: (batch, K, width).
            bias: Added to the scores. Shape: (batch, 1, 1, K).

        Returns:
            Shape: (batch, Q, width).
        """
        q, k, v = (
            self._split(layer(x))
            for layer, x in ((self.query, queries), (self.key, keys), (self.value, keys))
        )
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out(mixed.transpose(1, 2).flatten(2))  # (B, h, Q, d) -> (B, Q, D)

    def weights(self, queries: Tensor, keys: Tensor, bias: Tensor | None = None) -> Tensor:
        """What `forward` mixes the values with, which its fused kernel does not give.

        Args:
            queries: As in `forward`, and so are the others.
            keys: Shape: (batch, K, width).
            bias: Shape: (batch, 1, 1, K).

        Returns:
            Shape: (batch, heads, Q, K); sums to 1 over K.
        """
        q, k = self._split(self.query(queries)), self._split(self.key(keys))
        scores = q @ k.transpose(2, 3) / q.shape[3] ** 0.5  # (B, h, Q, d) -> (B, h, Q, K)
        return (scores if bias is None else scores + bias).softmax(dim=3)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, N, D) -> (B, h, N, d)


class Block(nn.Module):
    """Pre-norm transformer block: attention, then an MLP, each with a residual."""

    def __init__(
        self, width: int, heads: int, norm: str = "layer", ratio: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = NORMS[norm](width), NORMS[norm](width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, ratio * width), QuickGELU(), nn.Linear(ratio * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (batch, tokens, width) -> the same."""
        y = self.norm1(x)
        x = x + self.dropout(self.attention(y, y))
        return x + self.dropout(self.mlp(self.norm2(x)))
