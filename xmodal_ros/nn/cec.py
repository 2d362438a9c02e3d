"""Contrastive Embedding Conditioning (CEC): frozen embeddings query the tokens of all streams.

ConViTac, arXiv 2506.20757. Its released code projects queries, keys and values once before a
multi-head attention that projects them again; two linear maps in a row are one, so here there is
one. Its keys are one pooled vector, which makes the softmax a constant; `patch` tokens as keys are
our reading of what the paper describes.
"""

from __future__ import annotations

from torch import Tensor, nn

from xmodal_ros.nn.block import Attention
from xmodal_ros.nn.masking import hide, mask_bias


class CEC(nn.Module):
    """Attention from embeddings to tokens, output projection, residual on the query, LayerNorm.

    Args:
        dim: Size of embeddings and tokens.
        heads: Attention heads; divides `dim`.
    """

    def __init__(self, dim: int, heads: int = 8) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.norm = nn.LayerNorm(dim)

    def forward(self, queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Condition.

        Args:
            queries: Embeddings, one per stream. Shape: (batch, streams, dim).
            keys: Tokens of all streams. Shape: (batch, tokens, dim).
            mask: 1 where a token's stream is present, else 0. Shape: (batch, tokens), float.

        Returns:
            Shape: (batch, streams, dim).
        """
        attended = self.attention(queries, hide(keys, mask), mask_bias(mask, queries))
        return self.norm(queries + attended)
