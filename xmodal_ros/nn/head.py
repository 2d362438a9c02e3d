"""A head: the fusion of its streams and a classifier."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from xmodal_ros.nn.architecture import HeadSettings, Trunk
from xmodal_ros.nn.cec import CEC
from xmodal_ros.nn.masking import hide, join, masked_mean
from xmodal_ros.nn.peers import PEERS

QUERIES = 4
"""Of each embedding, where there are several."""
Encoded = tuple[Tensor, Tensor]
"""Tokens (batch, [steps,] tokens, dim) and embedding (batch, [steps,] dim) of one stream."""


class Head(nn.Module):
    """Fusion and classifier over the streams of one head; it never sees any other stream."""

    def __init__(self, settings: HeadSettings, trunk: Trunk) -> None:
        super().__init__()
        count, conditions = len(settings.streams), trunk.fusion == "cec"
        self.pooled, self.even = trunk.tokens == "pooled", trunk.share == "streams"
        self.cec = CEC(trunk.dim, trunk.attention_heads) if conditions else None
        several, joined = conditions and trunk.queries == "several", trunk.readout == "joined"
        self.several = Several(trunk.dim) if several else None
        self.readout = Readout(trunk.dim, count) if conditions and joined else None
        self.peer = nn.Identity() if conditions else PEERS[trunk.fusion](trunk, count)
        self.dropout = nn.Dropout(trunk.dropout)
        self.classifier = nn.Linear(trunk.dim, settings.classes)

    def forward(self, streams: list[Encoded], present: Tensor) -> tuple[Tensor, Tensor]:
        """Classify.

        Args:
            streams: Of every stream of the head, in its order, tokens (batch, tokens, dim) and
                embedding (batch, dim); anything finite for an absent one.
            present: 1 where a stream is there, else 0. Shape: (batch, streams), float.

        Returns:
            Logits, shape: (batch, classes), and the feature they come from, shape: (batch, dim).
        """
        tokens = [tokens for tokens, _ in streams]
        if self.cec is not None:
            embeddings = torch.stack([embedding for _, embedding in streams], dim=1)  # (B, S, d)
            feature = self._condition(self.cec, tokens, embeddings, present)
        else:
            feature = self.peer(tokens, present)
        return self.classifier(self.dropout(feature)), feature

    def _condition(
        self, cec: CEC, tokens: list[Tensor], embeddings: Tensor, present: Tensor
    ) -> Tensor:
        # Unit length becomes unit variance, the scale of what LayerNorm and attention expect.
        queries = embeddings * embeddings.shape[2] ** 0.5
        asked = present
        if self.several is not None:
            queries, asked = self.several(queries, present)
        keys, mask = join(tokens, present)  # (B, K, d)
        prior = None
        if self.pooled:
            means = torch.stack([t.mean(1) for t in tokens], dim=1)
            pooled = masked_mean(means, present) if self.even else masked_mean(keys, mask)
            keys, mask = pooled[:, None], torch.ones_like(mask[:, :1])
        elif self.even:
            shares = [keys.new_full((t.shape[1],), -math.log(t.shape[1])) for t in tokens]
            prior = torch.cat(shares)
        conditioned = cec(queries, keys, mask, prior)  # (B, S [* M], d)
        if self.readout is None:
            return masked_mean(conditioned, asked)
        conditioned = conditioned.unflatten(1, (len(tokens), -1)).mean(2)
        return self.readout(conditioned, tokens, present)


class Several(nn.Module):
    """Several queries of each embedding: itself with learned linear functions of it added.

    Our reading of conditioning: what one embedding asks for need not be in one place, and the mean
    of several attentions can hold on to more than one of them.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.offsets = nn.Linear(dim, QUERIES * dim)

    def forward(self, queries: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: (batch, streams, dim), (batch, streams) -> the same of streams * QUERIES."""
        offsets = self.offsets(queries).unflatten(
            2, (QUERIES, -1)
        )  # (B, S, M * d) -> (B, S, M, d)
        there = present[:, :, None].expand(-1, -1, QUERIES)
        return (queries[:, :, None] + offsets).flatten(1, 2), there.flatten(1, 2)


class Readout(nn.Module):
    """Conditioned queries and the pooled tokens of each stream, side by side, through an MLP.

    The pooled tokens are a residual path around the attention; the rest is what the plain
    concatenation of streams does (`peers.Concat`), so that what differs is the conditioning.
    """

    def __init__(self, dim: int, streams: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * streams * dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.norm = nn.LayerNorm(dim)

    def forward(self, conditioned: Tensor, tokens: list[Tensor], present: Tensor) -> Tensor:
        """Shapes: (batch, streams, dim), per stream (batch, tokens, dim), (batch, streams)."""
        pooled = torch.stack([t.mean(1) for t in tokens], dim=1)
        both = torch.cat([hide(conditioned, present), hide(pooled, present)], dim=1)
        return self.norm(self.mlp(both.flatten(1)))  # (B, 2 * S * d) -> (B, d)
