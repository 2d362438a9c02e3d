"""From encoded streams to the positions of a language model's input: resample, combine, project.

After arXiv 2308.16493: vision and IMU are L2-normalized, and a Perceiver Resampler stands between
the encoders and a frozen language model. How the released model mixes tokens of different numbers,
1:1, is unknown. Here every stream is resampled by itself, by the same resampler, and the language
model reads the latents of one after those of the other: averaged, each would blur the other.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.nn.perceiver import PerceiverResampler
from xmodal_ros.runtime.language.settings import ReaderSettings, ReadingSettings

Encoded = tuple[Tensor, Tensor]
"""Tokens (batch, tokens, dim) and embedding (batch, dim) of one stream."""


class Reader(nn.Module):
    """The resampler and a linear map to the language model's size.

    Args:
        settings: Of the resampler.
        streams: How each stream is read.
        dim: Of tokens and embeddings.
        hidden: Of the language model's input embeddings.
    """

    def __init__(
        self,
        settings: ReaderSettings,
        streams: Mapping[str, ReadingSettings],
        dim: int,
        hidden: int,
    ) -> None:
        super().__init__()
        self.streams = dict(streams)
        self.resampler = PerceiverResampler(
            dim, settings.latents, settings.depth, settings.heads, settings.head_dim
        )
        self.project = nn.Linear(dim, hidden)
        self.beside = nn.ModuleDict({name: _same(dim) for name in streams})
        """What becomes of a stream's latents where others are read, too."""

    def forward(
        self,
        encoded: Mapping[str, Encoded],
        masks: Mapping[str, Tensor] | None = None,
        adapted: bool = True,
    ) -> Tensor:
        """Read what streams gave.

        Args:
            encoded: By stream, at least one; streams that are not read here are ignored.
            masks: By stream, 1 for a token that is to be read, else 0; all are where there is
                none. The embedding always is. Shape: (batch, tokens), float.
            adapted: Whether streams that are read together go through `beside`.

        Returns:
            Shape: (batch, streams * latents, hidden).
        """
        names = [name for name in self.streams if name in encoded]
        blocks = [
            self._latents(encoded[name], self.streams[name].tokens, (masks or {}).get(name))
            for name in names
        ]
        if adapted and len(names) > 1:
            blocks = [self.beside[n](block) for n, block in zip(names, blocks, strict=True)]
        read = torch.cat(blocks, dim=1)
        projected: Tensor = self.project(read * read.shape[2] ** 0.5)  # unit variance
        return projected

    def _latents(self, encoded: Encoded, with_tokens: bool, mask: Tensor | None) -> Tensor:
        tokens, embedding = encoded
        read = embedding[:, None]
        if with_tokens:
            read = torch.cat([read, tokens], dim=1)  # (B, 1 + N, D)
            if mask is not None:
                mask = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)
        else:
            mask = None
        return F.normalize(self.resampler(F.normalize(read, dim=2), mask), dim=2)


def _same(dim: int) -> nn.Linear:
    """A linear map that changes nothing until it has learned."""
    made = nn.Linear(dim, dim)
    with torch.no_grad():
        made.weight.copy_(torch.eye(dim))
        made.bias.zero_()
    return made
