"""A branch: from one stream's raw input to tokens and an embedding in the shared space."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.nn.architecture import BranchSettings, GelSettings, ImuSettings, Trunk
from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.nn.imu import ImuEncoder
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.nn.range_view import RangeViewEncoder
from xmodal_ros.nn.temporal import TemporalAttention

Encoder = ImageEncoder | ImuEncoder | RangeViewEncoder


def build_encoder(settings: BranchSettings) -> Encoder:
    """The encoder that a branch's settings ask for, with random weights."""
    if isinstance(settings, ImuSettings):
        return ImuEncoder(settings)
    if isinstance(settings, LidarSettings):
        return RangeViewEncoder(settings)
    return ImageEncoder(settings)


def projection(width: int, dim: int, embedding: str) -> nn.Module:
    """What makes an embedding, of any length, of a pooled feature.

    Args:
        width: Of the pooled feature.
        dim: Of the embedding.
        embedding: See `Trunk`.
    """
    if embedding == "linear":
        return nn.Linear(width, dim)
    hidden = 2 * dim
    return nn.Sequential(
        nn.BatchNorm1d(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, dim)
    )


class ContrastiveEncoder(nn.Module):
    """An encoder and the projection of its pooled feature into the shared space.

    A frozen one stays in evaluation mode, asks for no gradients and gives none.
    """

    def __init__(
        self, settings: BranchSettings, dim: int, frozen: bool, embedding: str = "linear"
    ) -> None:
        super().__init__()
        self.dim = dim
        self.encoder = build_encoder(settings)
        self.embed = projection(self.encoder.pooled_width, dim, embedding)
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> ContrastiveEncoder:
        """Set the mode; a frozen encoder keeps its own, so that BatchNorm statistics stay."""
        return super().train(mode and not self.frozen)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Returns:
            Tokens, shape: (batch, tokens, token_width), and unit-length embeddings, shape: (batch,
            dim).
        """
        return self.embedded(*self.encoder(*inputs))

    def embedded(self, tokens: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` gives, of what the encoder gave.

        Args:
            tokens: Shape: (batch, tokens, token_width).
            pooled: Shape: (batch, pooled_width).
        """
        embedding = F.normalize(self.embed(pooled), dim=1)
        return (tokens.detach(), embedding.detach()) if self.frozen else (tokens, embedding)


class Adapter(nn.Module):
    """Small trainable refinement of an encoder's tokens: a projection and a residual MLP.

    Args:
        width: Channels of the encoder's tokens.
        dim: Of the refined ones.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        # Not LayerNorm: how strong a token is, over all channels, tells how much moved.
        self.norm = nn.BatchNorm1d(width)
        self.project = nn.Linear(width, dim)
        self.refine = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Shape: (batch, ..., tokens, width) -> (batch, ..., tokens, dim)."""
        normal = self.norm(tokens.flatten(0, -2)).view_as(tokens)
        tokens = self.project(normal)
        return tokens + self.refine(tokens)


class Branch(nn.Module):
    """Contrastive encoder, optional second encoder, adapter, and temporal attention for clips.

    The work is split where training can keep results: `features` is all that a frozen encoder
    does, `adapt` the trainable rest for one image or window, `combine` what mixes the frames of a
    clip.

    Args:
        settings: Of the encoder.
        trunk: What all branches share.
        classes: Of the points of a LiDAR; 0 for none.
    """

    def __init__(self, settings: BranchSettings, trunk: Trunk, classes: int = 0) -> None:
        super().__init__()
        self.settings = settings
        self.contrastive = ContrastiveEncoder(
            settings, trunk.dim, settings.frozen, trunk.embedding
        )
        # A second pass is of use only beside an encoder that must not learn.
        second = trunk.encoders == "separate" and settings.frozen
        self.task = build_encoder(settings) if second else None
        encoder = self.contrastive.encoder
        self.adapter = Adapter(encoder.token_width, trunk.dim)
        self.temporal = (
            TemporalAttention(trunk.dim, settings.steps, settings.temporal_heads, settings.depth)
            if isinstance(settings, GelSettings)
            else None
        )
        self.classify = (
            nn.Linear(settings.channels, classes)
            if classes and isinstance(settings, LidarSettings)
            else None
        )

    def features(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Encode single images or windows.

        Args:
            inputs: Images, shape: (batch, height, width, 3), uint8; of a gel with `difference`
                also the images to subtract, of the same shape, and for `reference` 1 where they
                are known, shape: (batch,). IMU windows, shape: (batch, samples, 6). Range images,
                shape: (batch, height, width, 4).

        Returns:
            Tokens, shape: (batch, tokens, width), and unit-length embeddings, shape: (batch, dim).
        """
        tokens, embedding = self.contrastive(*inputs)
        if self.task is not None:
            tokens, _ = self.task(*inputs)
        return tokens, embedding

    def adapt(self, tokens: Tensor) -> Tensor:
        """Refine tokens. Shape: (batch, ..., tokens, width) -> (batch, ..., tokens, dim)."""
        return self.adapter(tokens)

    def combine(self, tokens: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Bring a clip's frames together; other inputs pass.

        The embedding of a clip is that of its newest frame: what the stream looks like at the
        anchor's time.

        Args:
            tokens: Shape: (batch, tokens, dim), of a clip (batch, steps, tokens, dim).
            embedding: Shape: (batch, dim), of a clip (batch, steps, dim).

        Returns:
            Shapes: (batch, tokens, dim) and (batch, dim).
        """
        if self.temporal is None:
            return tokens, embedding
        return self.temporal(tokens), embedding[:, -1]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """`features`, then `adapt`: the inference stage of one image or window.

        Returns:
            Tokens (batch, tokens, dim) and embedding (batch, dim). Where points have classes also
            logits of every pixel (batch, classes, height, width), at little cost: tokens are made
            of the same map.
        """
        if self.classify is None:
            tokens, embedding = self.features(*inputs)
            return self.adapt(tokens), embedding
        encoder = cast(RangeViewEncoder, self.contrastive.encoder)
        maps = encoder.features(*inputs)
        tokens, embedding = self.contrastive.embedded(*encoder.summary(maps, *inputs))
        if self.task is not None:
            tokens, _ = self.task(*inputs)
        # As a convolution: what comes last, channels here, a backend would have to move there.
        weight = self.classify.weight[:, :, None, None]
        logits = F.conv2d(maps.permute(0, 3, 1, 2), weight, self.classify.bias)
        return self.adapt(tokens), embedding, logits

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of `forward` with a batch of one, for tracing."""
        s = self.settings
        if isinstance(s, ImuSettings):
            return (torch.zeros(1, s.samples, s.channels),)
        if isinstance(s, LidarSettings):
            return (torch.zeros(1, s.height, s.width, 4),)
        image = torch.zeros(1, s.height, s.width, 3, dtype=torch.uint8)
        if not isinstance(s, GelSettings) or s.difference == "none":
            return (image,)
        pair = (image, image.clone())
        return pair if s.difference == "previous" else (*pair, torch.ones(1))
