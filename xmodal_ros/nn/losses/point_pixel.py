"""InfoNCE from points to the pixels that calibration puts them at (PPKT, arXiv 2104.04687).

CMCR's contrast (arXiv 2412.08973): 2,048 pairs of a batch, temperature 0.07.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from xmodal_ros.nn.losses.infonce import info_nce


class Pairs(NamedTuple):
    """Points and where in their images they are."""

    example: Tensor
    """In the batch. Shape: (P,), int64."""
    point: Tensor
    """In its scan. Shape: (P,), int64."""
    uv: Tensor
    """Column and row in the image, 0 at the middle of the first pixel. Shape: (P, 2), float."""


def draw_pairs(
    uv: Tensor,
    inside: Tensor,
    count: int = 2048,
    hidden: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Pairs:
    """Choose points that are in their image, all of them where there are fewer.

    Args:
        uv: Column and row of each point; anything for one that is not inside. Shape: (batch, N,
            2), float.
        inside: Whether it is in the image. Shape: (batch, N), bool.
        count: Of the whole batch.
        hidden: Pixels of which nothing is known, as `masked_image.draw_patches` gives them.
            Shape: (batch, H, W), bool.
        generator: On the CPU.
    """
    example, point = inside.nonzero(as_tuple=True)
    if hidden is not None:
        column, row = (uv[example, point] + 0.5).long().unbind(1)
        # Booleans negated by ~: `1 - mask` as an index would name points 0 and 1.
        seen = ~hidden[example, row, column]
        example, point = example[seen], point[seen]
    chosen = torch.randperm(len(point), generator=generator)[:count].to(point.device)
    example, point = example[chosen], point[chosen]
    return Pairs(example, point, uv[example, point])


def sample_pixels(maps: Tensor, pairs: Pairs, size: tuple[int, int]) -> Tensor:
    """What image features say at the points, interpolated linearly.

    Args:
        maps: Of the images, at any resolution. Shape: (batch, C, h, w).
        pairs: Where.
        size: Height and width of the images that `pairs.uv` is of.

    Returns:
        Shape: (P, C).
    """
    height, width = maps.shape[2:]
    scale = torch.tensor([width / size[1], height / size[0]]).to(pairs.uv)
    limit = torch.tensor([width - 1, height - 1], device=maps.device)
    place = (pairs.uv + 0.5) * scale - 0.5
    place = place.clamp(min=0).minimum(limit.to(place))
    low = place.long()
    right, down = (place - low).to(maps.dtype).unbind(1)
    (x0, y0), (x1, y1) = low.unbind(1), (low + 1).minimum(limit).unbind(1)
    flat = maps.permute(0, 2, 3, 1)  # (B, C, h, w) -> (B, h, w, C)
    upper = torch.lerp(flat[pairs.example, y0, x0], flat[pairs.example, y0, x1], right[:, None])
    lower = torch.lerp(flat[pairs.example, y1, x0], flat[pairs.example, y1, x1], right[:, None])
    return torch.lerp(upper, lower, down[:, None])


def point_pixel(points: Tensor, pixels: Tensor, temperature: float = 0.07) -> Tensor:
    """Each point must find its pixel among those of all pairs.

    Args:
        points: Features of the points of `Pairs`. Shape: (P, dim).
        pixels: Of their pixels, from `sample_pixels`. Shape: (P, dim).
        temperature: 0.07 in CMCR.

    Returns:
        Mean over the pairs; 0 of none.
    """
    return info_nce(points, pixels, temperature) if len(points) else points.sum()
