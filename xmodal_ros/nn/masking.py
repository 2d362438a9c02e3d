"""Tokens of several streams as one sequence, of which some must not matter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Low enough that exp() is exactly 0, representable in half precision, and finite so that a row
# without any key gives numbers instead of NaN.
_MASKED = -1e4


def join(tokens: Sequence[Tensor], present: Tensor) -> tuple[Tensor, Tensor]:
    """Put the tokens of all streams in a row.

    Args:
        tokens: Per stream. Shape: (batch, tokens, dim).
        present: 1 where a stream is there, else 0. Shape: (batch, streams), float.

    Returns:
        All tokens, shape: (batch, K, dim), and 1 where a token's stream is there, shape: (batch,
        K).
    """
    masks = [present[:, i : i + 1].expand(-1, t.shape[1]) for i, t in enumerate(tokens)]
    return torch.cat(list(tokens), dim=1), torch.cat(masks, dim=1)


def hide(tokens: Tensor, mask: Tensor) -> Tensor:
    """Tokens with zeros where the mask has them. Shapes: (batch, K, dim), (batch, K)."""
    # `where` and not a product: what an absent stream holds must not matter, whatever it is.
    return torch.where(mask[:, :, None] > 0, tokens, torch.zeros_like(tokens))


def mask_bias(mask: Tensor, like: Tensor) -> Tensor:
    """What to add to attention scores of hidden keys. Shape: (batch, K) -> (batch, 1, 1, K).

    Scores are lowered, not replaced, so the keys have to be bounded: `hide` them first.
    """
    return ((1 - mask[:, None, None, :]) * _MASKED).to(like.dtype)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over axis 1 of what the mask keeps. Shapes: (batch, K, dim), (batch, K)."""
    return hide(x, mask).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
