"""Heads and decoders that CMCR (arXiv 2412.08973) trains beside the encoders and leaves behind."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ImageHeads(nn.Module):
    """Shared and specific features of a frozen image backbone's map.

    Args:
        width: Channels of the map.
        dim: Of each feature.
    """

    def __init__(self, width: int, dim: int = 64) -> None:
        super().__init__()
        self.shared, self.specific = nn.Conv2d(width, dim, 1), nn.Conv2d(width, dim, 1)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Apply both. Shape: (batch, width, h, w) -> twice (batch, dim, h, w); shared is unit."""
        return F.normalize(self.shared(maps), dim=1), self.specific(maps)


class ImageDecoder(nn.Module):
    """From features to an image.

    Without a normalization before it, a rectifier went dead in half of the runs, at a learning
    rate that is right for the encoder: the image was one gray from then on.

    Args:
        dim: Of the features.
        patch: Pixels of a cell of the map, in height and width.
    """

    def __init__(self, dim: int = 64, patch: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(dim, 4 * dim, 3, padding=1),
            nn.GroupNorm(1, 4 * dim),
            nn.GELU(),
            nn.Conv2d(4 * dim, 3 * patch * patch, 1),
            nn.PixelShuffle(patch),
        )

    def forward(self, specific: Tensor, *codes: Tensor) -> Tensor:
        """Reconstruct.

        Args:
            specific: The image's own features. Shape: (batch, dim, h, w).
            codes: What is added to them: the image's shared features as codes, and with geometry
                those of the points. Shape: as `specific`.

        Returns:
            0 is black, 1 is white. Shape: (batch, 3, patch * h, patch * w).
        """
        return self.layers(sum(codes, specific))


class RayDecoder(nn.Module):
    """From a point's features and where a query is to occupancy and intensity there.

    CMCR's released code adds codes to specific features, too, and has one more layer, without an
    activation after it.

    Args:
        dim: Of the features.
        hidden: Width of the two layers between; 128 in CMCR.
    """

    def __init__(self, dim: int = 64, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim + 3, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2),
        )

    def forward(self, specific: Tensor, codes: Tensor, offset: Tensor) -> Tensor:
        """Decode.

        Args:
            specific: Of points. Shape: (K, dim).
            codes: Their shared features as codes. Shape: (K, dim).
            offset: Query minus point, in radii of the neighbourhood; away from the sensor, to the
                left and up. Shape: (K, 3).

        Returns:
            Logit of the occupancy, and intensity. Shape: (K, 2).
        """
        return self.layers(torch.cat([specific + codes, offset], dim=1))
