"""Perceiver Resampler: a token sequence of any length, read into a fixed number of latents.

Flamingo, arXiv 2204.14198, in the form of OpenFlamingo and Otter, which arXiv 2308.16493 puts
between its encoders and a frozen language model. Here without their time embeddings, so the order
of the tokens does not matter. The resampler of `transformers`' Idefics models is this one with
`activation="relu"`, and with `qk_norm` where `qk_layer_norms_perceiver` is set.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.nn.masking import hide, mask_bias

ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU}


class PerceiverAttention(nn.Module):
    """Attention of latents over the tokens and themselves; pre-norm, no bias, no residual.

    Args:
        dim: Size of tokens and latents.
        heads: Attention heads.
        head_dim: Size of one head; `heads * head_dim` may differ from `dim`.
        qk_norm: LayerNorm of each head's queries and keys.
    """

    def __init__(self, dim: int, heads: int, head_dim: int, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.token_norm, self.latent_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.query = nn.Linear(dim, heads * head_dim, bias=False)
        self.key = nn.Linear(dim, heads * head_dim, bias=False)
        self.value = nn.Linear(dim, heads * head_dim, bias=False)
        self.query_norm = nn.LayerNorm(head_dim) if qk_norm else nn.Identity()
        self.key_norm = nn.LayerNorm(head_dim) if qk_norm else nn.Identity()
        self.out = nn.Linear(heads * head_dim, dim, bias=False)

    def forward(self, latents: Tensor, tokens: Tensor, bias: Tensor | None) -> Tensor:
        """Attend.

        Args:
            latents: Shape: (batch, L, dim).
            tokens: Shape: (batch, N, dim).
            bias: Added to the scores of tokens, then latents. Shape: (batch, 1, 1, N + L).

        Returns:
            Shape: (batch, L, dim).
        """
        latents = self.latent_norm(latents)
        keys = torch.cat([self.token_norm(tokens), latents], dim=1)  # (B, N + L, D)
        q = self.query_norm(self._split(self.query(latents)))
        k = self.key_norm(self._split(self.key(keys)))
        mixed = F.scaled_dot_product_attention(q, k, self._split(self.value(keys)), attn_mask=bias)
        return self.out(mixed.transpose(1, 2).flatten(2))  # (B, h, L, d) -> (B, L, h * d) -> D

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, N, h * d) -> (B, h, N, d)


class PerceiverResampler(nn.Module):
    """Learned latents through blocks of attention and feed-forward, each with a residual.

    Args:
        dim: Size of tokens and latents.
        latents: How many latents; the length of the output.
        depth: Blocks.
        heads: Attention heads.
        head_dim: Size of one head.
        activation: Of the feed-forward layers, a name in `ACTIVATIONS`.
        qk_norm: LayerNorm of each head's queries and keys.
    """

    def __init__(
        self,
        dim: int,
        latents: int = 64,
        depth: int = 6,
        heads: int = 8,
        head_dim: int = 64,
        activation: str = "gelu",
        qk_norm: bool = False,
    ) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(latents, dim))
        self.attentions = nn.ModuleList(
            PerceiverAttention(dim, heads, head_dim, qk_norm) for _ in range(depth)
        )
        self.feed_forwards = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(dim),
                nn.Linear(dim, 4 * dim, bias=False),
                ACTIVATIONS[activation](),
                nn.Linear(4 * dim, dim, bias=False),
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Resample.

        Args:
            tokens: Any number, also none. Shape: (batch, N, dim).
            mask: 1 for a token, 0 for padding, whose content never matters. Shape: (batch, N),
                float. None if all are tokens.

        Returns:
            Shape: (batch, latents, dim). An example without any token gives what the latents make
            of themselves: finite, and the same for every such example.
        """
        latents = self.latents.expand(tokens.shape[0], -1, -1)  # len() would export as a number
        bias = None
        if mask is not None:
            tokens = hide(tokens, mask)
            themselves = mask.new_ones(latents.shape[:2])
            bias = mask_bias(torch.cat([mask, themselves], dim=1), tokens)  # (B, 1, 1, N + L)
        for attention, feed_forward in zip(self.attentions, self.feed_forwards, strict=True):
            latents = latents + attention(latents, tokens, bias)
            latents = latents + feed_forward(latents)
        return self.norm(latents)
