"""The networks that CMCR (arXiv 2412.08973) trains together, and the losses of a batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.visual_tactile.example import CAMERA
from xmodal_ros.nn.cmcr import ImageDecoder, ImageHeads, RayDecoder
from xmodal_ros.nn.codebook import Codebook, perplexity
from xmodal_ros.nn.losses.code_alignment import code_alignment
from xmodal_ros.nn.losses.commitment import commitment
from xmodal_ros.nn.losses.geometry_image import cells_seen, splat
from xmodal_ros.nn.losses.masked_image import draw_patches, hide, reconstruction
from xmodal_ros.nn.losses.point_pixel import Pairs, draw_pairs, point_pixel, sample_pixels
from xmodal_ros.nn.losses.rays import (
    draw_queries,
    neighbours,
    ray_loss,
    relative_intensity,
    seen_from_sensor,
)
from xmodal_ros.nn.losses.separation import separation
from xmodal_ros.nn.normalize import normalize
from xmodal_ros.nn.pretrained import load_pretrained
from xmodal_ros.nn.range_view import PointFeatures, RangeViewEncoder
from xmodal_ros.train.lidar.settings import CmcrSettings, ImageSettings
from xmodal_ros.train.touch.run import weights_file


class Batch(NamedTuple):
    """Scans and an image of each."""

    scans: Tensor
    """Range images. Shape: (B, H, W, 4), float."""
    images: Tensor
    """Shape: (B, h, w, 3), uint8."""
    uv: Tensor
    """Column and row of each pixel's point in its image, NaN where it is not seen. Shape: (B,
    H * W, 2), float."""


class FrozenImage(nn.Module):
    """A pretrained backbone that gives one map: several of its own, enlarged to the finest.

    Raises:
        SettingsError: timm does not know it, or it has no such maps, or its weights are not to be
            had, or the image is no whole number of its cells.
    """

    def __init__(self, settings: ImageSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = _create(settings)
        levels = self.backbone.feature_info
        self.levels = list(range(settings.finest, settings.coarsest + 1))
        self.width = sum(levels[level]["num_chs"] for level in self.levels)
        self.stride: int = levels[settings.finest]["reduction"]
        shrinks = levels[settings.coarsest]["reduction"]
        if settings.height % shrinks or settings.width % shrinks:
            raise SettingsError(
                f"got {settings.height} x {settings.width}",
                where="image.height, image.width",
                expected=f"multiples of {shrinks}",
            )
        self.backbone.prune_intermediate_layers(self.levels, prune_head=True)
        if settings.weights != "random":
            start = weights_file(settings.weights, CAMERA, "image.weights")
            load_pretrained(self.backbone, settings.backbone, start)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> FrozenImage:
        """Stay in evaluation mode: the statistics of its BatchNorm are kept."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Shape: (B, h, w, 3) uint8 -> (B, width, h / stride, w / stride)."""
        with torch.no_grad():
            maps = self.backbone.forward_intermediates(
                normalize(images, self.settings.normalization),
                indices=self.levels,
                stop_early=True,
                intermediates_only=True,
            )
            size = maps[0].shape[2:]
            maps = [F.interpolate(m, size=size, mode="bilinear") for m in maps]
            return torch.cat(maps, dim=1)


class Cmcr(nn.Module):
    """A range-view encoder that learns, a frozen image backbone, and what goes between them.

    Args:
        settings: Of all of it.
    """

    def __init__(self, settings: CmcrSettings) -> None:
        super().__init__()
        dim = settings.lidar.dim
        self.settings = settings
        self.encoder = RangeViewEncoder(settings.lidar)
        self.image = FrozenImage(settings.image)
        self.heads = ImageHeads(self.image.width, dim)
        self.decoder = ImageDecoder(dim, self.image.stride)
        self.rays = RayDecoder(dim)
        book = settings.codebook
        self.book = Codebook(book.size, dim, book.decay, book.patience)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The objectives that have a weight, before weighting, and `perplexity` of the codes.

        In training mode the codebook moves, before it is used.
        """
        loss, draw = self.settings.loss, self.settings.draw
        size = (batch.images.shape[1], batch.images.shape[2])
        hidden = draw_patches(len(batch.images), size, draw.patch, draw.masked)
        hidden = hidden.to(batch.images.device)
        inside = ~batch.uv[:, :, 0].isnan()
        pairs = draw_pairs(batch.uv, inside, draw.pairs, hidden)
        maps = self.encoder.features(batch.scans).flatten(1, 2)  # (B, H, W, C) -> (B, H * W, C)
        point = self.encoder.heads(maps[pairs.example, pairs.point])
        shared, own = self.heads(self.image(hide(batch.images, hidden)))
        pixel = F.normalize(sample_pixels(shared, pairs, size), dim=1)
        terms = {}
        if loss.contrast:
            terms["contrast"] = point_pixel(point.shared, pixel, draw.temperature)
        if loss.separation:
            unit = F.normalize(point.specific, dim=1)
            terms["separation"] = separation(point.shared, unit)
        if loss.coded:
            if self.training:
                self.book.update(point.shared.detach(), pixel.detach())
            terms |= self._coded(point, pixel)
            decoded = self.reconstructions(batch, hidden, maps, shared, own)
            for name, images in decoded.items():
                terms[name] = reconstruction(images, batch.images, hidden, draw.seen_weight)
            terms |= self._rays(batch.scans, maps)
        return terms

    def _coded(self, point: PointFeatures, pixel: Tensor) -> dict[str, Tensor]:
        """What is asked of the codes themselves."""
        loss, terms = self.settings.loss, {}
        points, pixels = self.book(point.shared), self.book(pixel)
        if loss.commitment:
            terms["commitment"] = commitment(point.shared, points.values, pixels.values)
            terms["commitment"] = terms["commitment"] + commitment(
                pixel, pixels.values, points.values
            )
        if loss.codes:
            sharp = self.settings.codebook.temperature
            posteriors = [self.book.log_posterior(x, sharp) for x in (point.shared, pixel)]
            terms["codes"] = code_alignment(*posteriors)
        if len(pixel):
            terms["perplexity"] = perplexity(points.code, len(self.book.codes))
        return terms

    def reconstructions(
        self, batch: Batch, hidden: Tensor, maps: Tensor, shared: Tensor, own: Tensor
    ) -> dict[str, Tensor]:
        """Images of which a part is hidden, without and with the points in them.

        Args:
            batch: Scans and whole images.
            hidden: Shape: (B, h, w), bool.
            maps: The scans' features. Shape: (B, H * W, C).
            shared: The images' heads, of what is not hidden. Shape: (B, dim, h / stride, w /
                stride).
            own: Their specific features. Shape: as `shared`.

        Returns:
            By objective, of those that have a weight. Shape: (B, 3, h, w).
        """
        loss, found = self.settings.loss, dict[str, Tensor]()
        if not loss.image and not loss.geometry:
            return found
        codes = self.book(shared.permute(0, 2, 3, 1)).values.permute(0, 3, 1, 2)
        if loss.image:
            found["image"] = self.decoder(own, codes)
        if loss.geometry:
            seen = cells_seen(hidden, self.image.stride)
            points = self._splat(batch, maps, own)
            found["geometry"] = self.decoder(own * seen, codes * seen, points)
        return found

    def _splat(self, batch: Batch, maps: Tensor, own: Tensor) -> Tensor:
        """Codes of all points that an image shows, in the cells of its map. Shape: as `own`."""
        example, point = (~batch.uv[:, :, 0].isnan()).nonzero(as_tuple=True)
        every = Pairs(example, point, batch.uv[example, point])
        codes = self.book(self.encoder.heads(maps[example, point]).shared).values
        size = (batch.images.shape[1], batch.images.shape[2])
        return splat(codes, every, own, size)

    def _rays(self, scans: Tensor, maps: Tensor) -> dict[str, Tensor]:
        """Occupancy and intensity, means over the scans."""
        loss, draw = self.settings.loss, self.settings.draw
        if not loss.occupancy and not loss.intensity:
            return {}
        found = []
        for points, features in zip(scans.flatten(1, 2), maps, strict=True):
            there = (points[:, :3] != 0).any(1).nonzero()[:, 0]
            tellers = there[torch.randperm(len(there))[: draw.tellers].to(there.device)]
            told = relative_intensity(points)
            queries = draw_queries(told, draw.queries // len(scans), draw.depth_m)
            near = neighbours(queries, points[tellers], draw.radius_m)
            point = self.encoder.heads(features[tellers[near.point]])
            codes = self.book(point.shared).values
            # Offsets in radii, of 1 m in CMCR: in metres those of a work cell are next to nothing.
            offset = seen_from_sensor(near.offset, points[tellers[near.point]]) / draw.radius_m
            found.append(ray_loss(self.rays(point.specific, codes, offset), queries, near))
        means = {n: torch.stack([getattr(f, n) for f in found]).mean() for n in found[0]._fields}
        return {name: mean for name, mean in means.items() if getattr(loss, name)}


def _create(settings: ImageSettings) -> Any:  # timm's models have no common base class
    if not timm.is_model(settings.backbone):
        raise SettingsError(
            f"timm {timm.__version__} has no model '{settings.backbone}'",
            where="image.backbone",
            expected="a name from timm.list_models()",
        )
    made: Any = timm.create_model(settings.backbone, num_classes=0)
    if settings.coarsest >= len(made.feature_info):
        raise SettingsError(
            f"got {settings.coarsest}",
            where="image.coarsest",
            expected=f"at most {len(made.feature_info) - 1}",
        )
    return made


def total(terms: dict[str, Tensor], settings: CmcrSettings) -> Tensor:
    """The objectives by their weights."""
    weights = vars(settings.loss)
    return torch.stack([weights[n] * term for n, term in terms.items() if n in weights]).sum()
