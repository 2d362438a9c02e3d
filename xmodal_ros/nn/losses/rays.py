"""Occupancy and intensity along rays: what a LiDAR knows and a camera does not.

A ray is free up to its point and occupied just behind it (ALSO, arXiv 2212.05867). Features of
points within 1 m have to tell, as in CMCR (arXiv 2412.08973).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_DISTANCES = 1 << 22
"""Computed at a time: 16 MB."""


class Queries(NamedTuple):
    """Places of which it is known whether something is there."""

    position: Tensor
    """m, in the LiDAR's frame. Shape: (Q, 3)."""
    occupied: Tensor
    """1 or 0. Shape: (Q,), float."""
    intensity: Tensor
    """Of the ray's point, NaN where that is far. Shape: (Q,), float."""


class Neighbours(NamedTuple):
    """Queries and points that are near each other."""

    query: Tensor
    """Shape: (K,), int64."""
    point: Tensor
    """Shape: (K,), int64."""
    offset: Tensor
    """Query minus point, m. Shape: (K, 3)."""


class RayLoss(NamedTuple):
    """Both terms; 0 where no query has a neighbour."""

    occupancy: Tensor
    intensity: Tensor


def draw_queries(
    points: Tensor,
    count: int = 2048,
    depth_m: float = 0.1,
    generator: torch.Generator | None = None,
) -> Queries:
    """A third just behind points, a third just before, and the rest anywhere before.

    Args:
        points: x, y, z in m and intensity; those at the origin, or not finite, are not drawn.
            Shape: (N, 4).
        count: Queries; none where no point is left.
        depth_m: Largest distance that is "just". Of no use if it exceeds the objects' thickness.
        generator: On the CPU.
    """
    usable = (points.isfinite().all(1) & (points[:, :3] != 0).any(1)).nonzero()[:, 0]
    count = count if len(usable) else 0
    drawn = torch.randint(max(len(usable), 1), (count,), generator=generator)
    chosen = points[usable[drawn.to(points.device)]]
    along = torch.rand(count, generator=generator).to(points)
    kind = torch.arange(count, device=points.device) * 3 // max(count, 1)  # behind, before, far
    distance = chosen[:, :3].norm(dim=1)
    nearby = depth_m * along / distance.clamp(min=1e-6)
    scale = torch.where(kind == 0, 1 + nearby, torch.where(kind == 1, 1 - nearby, along))
    intensity = chosen[:, 3].masked_fill(kind == 2, float("nan"))
    return Queries(chosen[:, :3] * scale.clamp(min=0)[:, None], (kind == 0).to(points), intensity)


@torch.no_grad()
def neighbours(
    queries: Queries, points: Tensor, radius_m: float = 1.0, most: int = 8
) -> Neighbours:
    """Points near each query, in time that grows with queries times points.

    Args:
        queries: Of `draw_queries`.
        points: x, y, z in m, those that have features, or some of them. Shape: (N, 3 or more).
        radius_m: Within which a point is near.
        most: Points of a query, the nearest ones: a bound on memory.
    """
    places = points[:, :3]
    found = []
    for block in queries.position.split(max(_DISTANCES // max(len(points), 1), 1)):
        # Not by products: of places 100 m away their differences would be lost.
        away = torch.cdist(block, places, compute_mode="donot_use_mm_for_euclid_dist")
        away, index = away.topk(min(most, len(points)), dim=1, largest=False)
        found.append(torch.where(away <= radius_m, index, -1))
    near = torch.cat(found)  # (Q, most)
    query, rank = (near >= 0).nonzero(as_tuple=True)
    point = near[query, rank]
    return Neighbours(query, point, queries.position[query] - places[point])


def relative_intensity(points: Tensor) -> Tensor:
    """Points whose intensity is less the scan's mean, by its deviation.

    A range-view encoder reads no other: it could not tell how bright the LiDAR is.

    Args:
        points: x, y, z in m, zeros where there is none, and intensity. Shape: (N, 4).
    """
    intensity = points[(points[:, :3] != 0).any(1), 3]
    if not len(intensity):
        return points
    deviation = intensity.std(correction=0).clamp(min=1e-3)
    return torch.cat([points[:, :3], (points[:, 3:] - intensity.mean()) / deviation], dim=1)


def seen_from_sensor(offset: Tensor, points: Tensor) -> Tensor:
    """Offsets as away from the sensor, to the left and up, which a point's feature can know.

    A feature that stays the same when the scan turns about its axis does not know x and y.

    Args:
        offset: m, in the LiDAR's frame. Shape: (K, 3).
        points: That they are offsets from; one above or below the sensor has no left. Shape: (K, 3
            or more).
    """
    flat = points[:, :2]
    x, y = (flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-6)).unbind(1)
    away = offset[:, 0] * x + offset[:, 1] * y
    left = offset[:, 1] * x - offset[:, 0] * y
    return torch.stack([away, left, offset[:, 2]], dim=1)


def ray_loss(decoded: Tensor, queries: Queries, near: Neighbours) -> RayLoss:
    """Binary cross entropy of the occupancy and mean absolute error of the intensity.

    Args:
        decoded: Logit of the occupancy, and intensity, told by each neighbour. Shape: (K, 2).
        queries: Of `draw_queries`.
        near: Of `neighbours`.
    """
    nothing = decoded.sum() * 0
    if not len(decoded):
        return RayLoss(nothing, nothing)
    occupied = queries.occupied[near.query].to(decoded.dtype)
    intensity = queries.intensity[near.query].to(decoded.dtype)
    known = ~intensity.isnan()
    return RayLoss(
        F.binary_cross_entropy_with_logits(decoded[:, 0], occupied),
        F.l1_loss(decoded[known, 1], intensity[known]) if known.any() else nothing,
    )
