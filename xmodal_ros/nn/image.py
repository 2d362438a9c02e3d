"""Image encoder: any timm backbone, giving patch tokens and one pooled feature."""

from __future__ import annotations

import contextlib
import math
from typing import Any, cast

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.nn.architecture import GelSettings, ImageSettings
from xmodal_ros.nn.normalize import normalize


class ImageEncoder(nn.Module):
    """A timm backbone without its classifier.

    Tokens are a ViT's patch tokens or a CNN's feature map, flattened row by row.

    Raises:
        SettingsError: timm does not know the backbone, or it has no such feature map.
    """

    def __init__(self, settings: ImageSettings) -> None:
        super().__init__()
        self.settings = settings
        self.gain = settings.gain if isinstance(settings, GelSettings) else 1.0
        self.backbone = _create(settings)
        self.prefix = getattr(self.backbone, "num_prefix_tokens", 0)
        self.token_width: int = self.backbone.num_features
        self.pooled_width = self.token_width
        if settings.level >= 0:
            levels = self.backbone.feature_info
            if settings.level >= len(levels):
                raise SettingsError(
                    f"got {settings.level}", where="level", expected=f"-1 to {len(levels) - 1}"
                )
            self.token_width = levels[settings.level]["num_chs"]
            self.pooled_width = 2 * self.token_width
            self.backbone.prune_intermediate_layers([settings.level], prune_head=True)
        pools = settings.rows and settings.columns
        self.cells = (settings.rows, settings.columns) if pools else None
        if self.cells:
            self.token_width *= 2  # mean and deviation

    def forward(
        self, images: Tensor, other: Tensor | None = None, known: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode images.

        Args:
            images: Shape: (batch, height, width, 3), uint8 RGB.
            other: Images to subtract after normalization. Shape: as `images`.
            known: 1 where `other` is to be subtracted, else 0. Shape: (batch,), float.

        Returns:
            Tokens, shape: (batch, tokens, token_width), and pooled features, shape: (batch,
            pooled_width): the class token or the mean; of an intermediate map mean and standard
            deviation.
        """
        x = normalize(images, self.settings.normalization)  # (B, H, W, 3) -> (B, 3, H, W)
        if other is not None:
            y = normalize(other, self.settings.normalization)
            x = x - (y if known is None else known.view(-1, 1, 1, 1) * y)
        x = self.gain * x
        if self.settings.level < 0:
            features = self.backbone.forward_features(x)
            maps, pooled = self._map(features), _pool(features, self.prefix)
        else:
            (maps,) = self.backbone.forward_intermediates(
                x, indices=[self.settings.level], stop_early=True, intermediates_only=True
            )
            pooled = _moments(maps, 1, 1).flatten(1)  # (B, C, h, w) -> (B, 2 * C)
        if self.cells:
            maps = _moments(maps, *self.cells)
        return maps.flatten(2).transpose(1, 2), pooled  # (B, C, h, w) -> (B, h * w, C)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens of an image."""
        if self.cells:
            return self.cells
        if hasattr(self.backbone, "patch_embed"):
            return cast(tuple[int, int], self.backbone.patch_embed.grid_size)
        shrinks = self.backbone.feature_info[self.settings.level]["reduction"]
        rows, columns = (
            math.ceil(x / shrinks) for x in (self.settings.height, self.settings.width)
        )
        return rows, columns

    def _map(self, features: Tensor) -> Tensor:
        if features.ndim == 4:
            return features
        height, width = self.backbone.patch_embed.grid_size
        patches = features[:, self.prefix :]  # (B, prefix + N, C) -> (B, N, C)
        return patches.transpose(1, 2).unflatten(2, (height, width))  # -> (B, C, h, w)


def _moments(maps: Tensor, rows: int, columns: int) -> Tensor:
    """Mean, and root mean square distance to the whole map's mean, within cells.

    Textures differ in the second. The distance is taken before it is squared, because a difference
    of squares would not survive half precision.
    Shape: (batch, C, h, w) -> (batch, 2 * C, rows, columns).
    """
    mean = F.adaptive_avg_pool2d(maps, (rows, columns))
    distance = (maps - maps.mean((2, 3), keepdim=True)).square()
    deviation = F.adaptive_avg_pool2d(distance, (rows, columns)).add(1e-6).sqrt()
    return torch.cat([mean, deviation], dim=1)


def _pool(features: Tensor, prefix: int) -> Tensor:
    """One feature of an image: the class token where there is one, else the mean."""
    if features.ndim == 4:
        return features.mean((2, 3))
    return features[:, 0] if prefix else features.mean(1)


def _create(settings: ImageSettings) -> Any:  # timm's models have no common base class
    if not timm.is_model(settings.backbone):
        raise SettingsError(
            f"timm {timm.__version__} has no model '{settings.backbone}'",
            where="backbone",
            expected="a name from timm.list_models()",
        )
    size = (settings.height, settings.width)
    # A ViT is built for the size, once, rather than resampling its positions at each call; other
    # families know fewer of these arguments, and a CNN none.
    for sized in ({"img_size": size, "dynamic_img_size": False}, {"img_size": size}):
        with contextlib.suppress(TypeError):
            return timm.create_model(settings.backbone, num_classes=0, **sized)
    return timm.create_model(settings.backbone, num_classes=0)
