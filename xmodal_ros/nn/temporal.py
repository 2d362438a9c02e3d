"""Temporal attention over the frames of a gel clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xmodal_ros.nn.block import Block


class TemporalAttention(nn.Module):
    """Attention along time, at each place of the gel on its own.

    A token is joined by its difference to the clip's previous frame, because slip shows in what
    changes. Each frame's features are an input, so that they can be computed once and kept (our
    reading; ConViTac concatenates two frames and applies a linear layer).

    Args:
        dim: Size of tokens.
        frames: Images in a clip.
        heads: Attention heads; divides `dim`.
        depth: Layers.
    """

    def __init__(self, dim: int, frames: int, heads: int, depth: int) -> None:
        super().__init__()
        self.join = nn.Linear(2 * dim, dim)
        self.positions = nn.Parameter(0.02 * torch.randn(1, frames, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads, ratio=2) for _ in range(depth)))

    def forward(self, frames: Tensor) -> Tensor:
        """Mix frames.

        Args:
            frames: Shape: (batch, frames, tokens, dim), oldest first.

        Returns:
            Shape: (batch, frames * tokens, dim).
        """
        batch, count, tokens, dim = frames.shape
        previous = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        x = self.join(torch.cat([frames, frames - previous], dim=3))
        x = x.transpose(1, 2).reshape(batch * tokens, count, dim)  # (B, T, N, d) -> (B * N, T, d)
        x = self.blocks(x + self.positions)
        return x.reshape(batch, tokens * count, dim)
