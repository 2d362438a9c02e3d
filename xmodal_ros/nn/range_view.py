"""Range-view encoder: a timm backbone over a scan's range image, and a feature for every point.

It needs no sparse convolution, so it runs wherever images do. Points are known to
`core.range_image` alone: the graph reads its image and gives tokens, and where asked a feature for
every pixel. Points gather it by their pixel, not interpolated; those behind the nearest point of
their pixel get what that one gets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.range_image import OUTSIDE
from xmodal_ros.nn.lidar_settings import LidarSettings

_AROUND = (3, 15)
"""Sides in pixels of the squares from whose mean distance a point stands out."""
_MEASURED = 3 + len(_AROUND)


class PointFeatures(NamedTuple):
    """What every pixel, or every point, is made of (CMCR, arXiv 2412.08973)."""

    shared: Tensor
    """What cameras see as well, unit length. Shape: (..., dim)."""
    specific: Tensor
    """What only the LiDAR sees. Shape: (..., dim)."""


class RangeViewEncoder(nn.Module):
    """Backbone, decoder up to the range image's own size, and a shared and a specific head.

    The decoder adds a coarse map, enlarged, to the next finer one, as feature pyramids do
    (arXiv 1612.03144), and reads the range image itself last, so that a point keeps its place.

    Raises:
        SettingsError: timm does not know the backbone, or it is no pyramid of that many maps.
    """

    def __init__(self, settings: LidarSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = _create(settings)
        self.levels = list(range(settings.level + 1))
        self.backbone.prune_intermediate_layers(self.levels, prune_head=True)
        found = [self.backbone.feature_info[level]["num_chs"] for level in self.levels]
        widths, channels = [_MEASURED + 1, *found], settings.channels
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.mixes = nn.ModuleList(_mix(channels) for _ in widths)
        self.shared = nn.Linear(channels, settings.dim)
        self.specific = nn.Linear(channels, settings.dim)
        self.token_width = self.pooled_width = 2 * channels  # mean and deviation

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode range images.

        Args:
            images: Of `core.range_image`: x, y, z in m and intensity, zeros where there is no
                point. Shape: (batch, height, width, 4), float.

        Returns:
            Tokens, shape: (batch, rows * columns, token_width), and pooled features, shape:
            (batch, pooled_width): mean and deviation of the pixels' features in a cell, and in
            the whole scan. Pixels without a point do not count; cells of such are constant.
        """
        return self.summary(self.features(images), images)

    def summary(self, features: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` gives, of `features` that were computed already.

        Args:
            features: Shape: (batch, height, width, channels).
            images: That they are of. Shape: (batch, height, width, 4).
        """
        maps = features.permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W)
        there = _there(images)
        cells = _moments(maps, there, self.settings.rows, self.settings.columns)
        return cells.flatten(2).transpose(1, 2), _moments(maps, there, 1, 1).flatten(1)

    def features(self, images: Tensor) -> Tensor:
        """A feature for every pixel, also those without a point.

        Returns:
            Shape: (batch, height, width, channels).
        """
        x = images.permute(0, 3, 1, 2)  # (B, H, W, 4) -> (B, 4, H, W)
        there = _there(images)
        x = torch.cat([_standard(_measured(x, there), there), there], dim=1)
        maps = [
            x,
            *self.backbone.forward_intermediates(
                x, indices=self.levels, stop_early=True, intermediates_only=True
            ),
        ]
        found = None
        for i in reversed(range(len(maps))):  # the coarsest first
            lateral = self.laterals[i](maps[i])
            if found is not None:
                size = lateral.shape[2:]
                lateral = lateral + F.interpolate(found, size=size, mode="bilinear")
            found = self.mixes[i](lateral)
        assert found is not None
        return found.permute(0, 2, 3, 1)

    def heads(self, features: Tensor) -> PointFeatures:
        """Shared and specific features. Shape: (..., channels)."""
        return PointFeatures(F.normalize(self.shared(features), dim=-1), self.specific(features))


def gather_points(maps: Tensor, pixels: Tensor) -> Tensor:
    """What each point's pixel holds.

    Args:
        maps: Shape: (batch, height, width, C).
        pixels: `RangeImage.pixels`; scans of fewer points are filled up with `OUTSIDE`. Shape:
            (batch, N), int64.

    Returns:
        Zeros for `OUTSIDE`, which are no features to learn from. Shape: (batch, N, C).
    """
    batch, height, width, _ = maps.shape
    starts = torch.arange(batch, device=pixels.device)[:, None] * (height * width)
    index = (pixels.clamp(min=0) + starts).flatten()
    found = maps.flatten(0, 2).index_select(0, index).unflatten(0, pixels.shape)
    return found.masked_fill((pixels == OUTSIDE)[:, :, None], 0)


def _measured(x: Tensor, there: Tensor) -> Tensor:
    """What is known of each point, by none of which a turn about the LiDAR's axis can be told.

    Log of the distance, sine of the elevation, intensity, and the log of how much farther than
    the points around it a point is. A scene twice as large has the same values, but for the first.

    Shapes: (B, 4, H, W), (B, 1, H, W) -> (B, _MEASURED, H, W).
    """
    distance = x[:, :3].square().sum(1, keepdim=True).sqrt().clamp(min=1e-3)
    log = distance.log() * there
    farther = [log - _mean(log, side) / _mean(there, side).clamp(min=1e-3) for side in _AROUND]
    return torch.cat([log, x[:, 2:3] / distance, x[:, 3:], *farther], dim=1)


def _standard(x: Tensor, there: Tensor) -> Tensor:
    """Each channel less its mean over a scan's points, by its deviation; 0 where there is none.

    Statistics of the scan itself: what is learned of one place holds in another, whose size and
    whose LiDAR's intensities are others.

    Shapes: (B, C, H, W), (B, 1, H, W) -> (B, C, H, W).
    """
    count = there.sum((2, 3), keepdim=True).clamp(min=1)
    centred = (x - (x * there).sum((2, 3), keepdim=True) / count) * there
    variance = centred.square().sum((2, 3), keepdim=True) / count
    return centred * (variance + 1e-5).rsqrt()


def _mean(x: Tensor, side: int) -> Tensor:
    """Of the square around each pixel, zeros beyond the edges."""
    return F.avg_pool2d(x, side, stride=1, padding=side // 2)


def _there(images: Tensor) -> Tensor:
    """1 where a pixel has a point, else 0. Shape: (B, H, W, 4) -> (B, 1, H, W)."""
    return (images[..., :3] != 0).any(dim=3)[:, None].to(images.dtype)


def _moments(maps: Tensor, there: Tensor, rows: int, columns: int) -> Tensor:
    """Mean, and root mean square distance to the whole map's mean, of pixels that have a point.

    Shapes: (B, C, H, W), (B, 1, H, W) -> (B, 2 * C, rows, columns).
    """
    share = F.adaptive_avg_pool2d(there, (rows, columns)).clamp(min=1e-6)
    mean = F.adaptive_avg_pool2d(maps * there, (rows, columns)) / share
    whole = (maps * there).mean((2, 3), keepdim=True)
    whole = whole / there.mean((2, 3), keepdim=True).clamp(min=1e-6)
    distance = F.adaptive_avg_pool2d((maps - whole).square() * there, (rows, columns)) / share
    return torch.cat([mean, distance.add(1e-6).sqrt()], dim=1)


def _mix(channels: int) -> nn.Sequential:
    """A depthwise and a pointwise convolution: a tenth of a full one's cost at the finest map."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


def _create(settings: LidarSettings) -> Any:  # timm's models have no common base class
    if not timm.is_model(settings.backbone):
        raise SettingsError(
            f"timm {timm.__version__} has no model '{settings.backbone}'",
            where="backbone",
            expected="a name from timm.list_models()",
        )
    made: Any = timm.create_model(settings.backbone, num_classes=0, in_chans=_MEASURED + 1)
    shrinks = [level["reduction"] for level in made.feature_info]
    if shrinks != sorted(set(shrinks)):
        raise SettingsError(
            f"the feature maps of '{settings.backbone}' are of one size",
            where="backbone",
            expected="a convolutional network, whose maps get coarser",
        )
    if settings.level >= len(shrinks):
        raise SettingsError(
            f"got {settings.level}", where="level", expected=f"0 to {len(shrinks) - 1}"
        )
    return made
