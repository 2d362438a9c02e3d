"""Projections into the joint space, and the fusion that only training has (arXiv 2603.02767).

The paper says what its fusion is for, not how it is built. Our reading: transformer blocks over
what the modalities made of one moment and a token of its own; without a mark of which modality is
which, so that the fusion is of use only where modalities are interchangeable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.nn.block import Block
from xmodal_ros.nn.branch import projection
from xmodal_ros.nn.masking import masked_mean
from xmodal_ros.runtime.text import text_projection
from xmodal_ros.train.joint.settings import FusionSettings, JointSettings

TEXT = "text"
EMBEDDING = "mlp"
"""Kind of the branches' projections; see `nn.architecture.Trunk`."""
LARGEST_SCALE = math.log(100.0)
"""Of the learned scale, as in CLIP: a temperature of 0.01 at least."""


class Fusion(nn.Module):
    """Views of one moment to one vector.

    Args:
        dim: Of the space.
        settings: Depth and heads; with depth 0 it is the mean of the views.
    """

    def __init__(self, dim: int, settings: FusionSettings) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, dim))
        self.blocks = nn.ModuleList(Block(dim, settings.heads) for _ in range(settings.depth))

    def forward(self, views: Tensor, present: Tensor) -> Tensor:
        """Fuse.

        Args:
            views: Unit length. Shape: (moments, modalities, dim).
            present: 1 where a view is there, else 0. Shape: (moments, modalities), float.

        Returns:
            Unit length. Shape: (moments, dim).
        """
        mean = masked_mean(views, present)
        if not self.blocks:
            return F.normalize(mean, dim=1)
        # What is hidden is the mean of what is there: blocks have no mask, and a mean tells
        # nothing that is not there.
        filled = torch.where(present[:, :, None] > 0, views, mean[:, None])
        scaled = filled * filled.shape[2] ** 0.5  # unit variance
        x = torch.cat([self.token.expand(len(views), -1, -1), scaled], dim=1)
        for block in self.blocks:
            x = block(x)
        return F.normalize(x[:, 0], dim=1)


class JointSpace(nn.Module):
    """All that learns.

    Args:
        widths: Of the pooled features by branch.
        branches: Branch by stream.
        settings: Of space, losses and fusion.
    """

    step: Tensor
    """Batches that were seen, a scalar."""

    def __init__(
        self, widths: Mapping[str, int], branches: Mapping[str, str], settings: JointSettings
    ) -> None:
        super().__init__()
        dim = settings.space.dim
        self.branches = dict(branches)
        self.embed = nn.ModuleDict(
            {name: projection(width, dim, EMBEDDING) for name, width in widths.items()}
        )
        self.text = text_projection(dim)
        self.fusion = Fusion(dim, settings.fusion)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / settings.loss.temperature)))
        # SigLIP's beginning: nearly all pairs of a batch are different things.
        self.sigmoid_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.sigmoid_bias = nn.Parameter(torch.tensor(-10.0))
        self.uncertainty = nn.Parameter(torch.zeros(2))
        """Logarithms of the variances of both objectives, where they are balanced by them."""
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def view(self, stream: str, pooled: Tensor) -> Tensor:
        """Embeddings of a stream or of text. Shape: (N, width) -> (N, dim), unit length."""
        embed = self.text if stream == TEXT else self.embed[self.branches[stream]]
        return F.normalize(embed(pooled), dim=1)

    @property
    def temperature(self) -> Tensor:
        """Of InfoNCE, learned, a scalar."""
        return torch.exp(-self.scale.clamp(max=LARGEST_SCALE))
