"""From encoded streams to the positions of a language model's input: resample, combine, project.

After arXiv 2308.16493: vision and IMU are L2-normalized and combined 1:1, and a Perceiver
Resampler stands between the encoders and a frozen language model. How the released model mixes
tokens of different numbers is unknown; our reading is that every stream is resampled by itself,
by the same resampler, and that the latents, of equal number and unit length, are averaged. A
stream that is absent then changes neither the length nor the scale of what the model reads.
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

    def forward(
        self, encoded: Mapping[str, Encoded], masks: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Read what streams gave.

        Args:
            encoded: By stream; streams that are not read here are ignored.
            masks: By stream, 1 for a token that is to be read, else 0; all are where there is
                none. The embedding always is. Shape: (batch, tokens), float.

        Returns:
            Shape: (batch, latents, hidden).
        """
        total = torch.zeros(())
        for name, reading in self.streams.items():
            if name in encoded and reading.weight > 0:
                latents = self._latents(encoded[name], reading.tokens, (masks or {}).get(name))
                total = total + reading.weight * latents
        mixed = F.normalize(total, dim=2) * total.shape[2] ** 0.5  # unit variance
        projected: Tensor = self.project(mixed)
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
