"""A head: the fusion of its streams and a classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xmodal_ros.nn.architecture import HeadSettings, Trunk
from xmodal_ros.nn.cec import CEC
from xmodal_ros.nn.masking import join, masked_mean
from xmodal_ros.nn.peers import PEERS

Encoded = tuple[Tensor, Tensor]
"""Tokens (batch, [steps,] tokens, dim) and embedding (batch, [steps,] dim) of one stream."""


class Head(nn.Module):
    """Fusion and classifier over the streams of one head; it never sees any other stream."""

    def __init__(self, settings: HeadSettings, trunk: Trunk) -> None:
        super().__init__()
        self.pooled, conditions = trunk.tokens == "pooled", trunk.fusion == "cec"
        self.cec = CEC(trunk.dim, trunk.attention_heads) if conditions else None
        streams = len(settings.streams)
        self.peer = nn.Identity() if conditions else PEERS[trunk.fusion](trunk, streams)
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
        keys, mask = join(tokens, present)  # (B, K, d)
        if self.pooled:
            keys, mask = masked_mean(keys, mask)[:, None], torch.ones_like(mask[:, :1])
        return masked_mean(cec(queries, keys, mask), present)  # (B, S, d) -> (B, d)
