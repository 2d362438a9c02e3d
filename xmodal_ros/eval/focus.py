"""How well the places that a head looks at are those of a contact: pointing game and energy.

Scores of a map beside what a map without any preference would get. Attention is there for CEC
only; Grad-CAM compares it with other fusions by the same measure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from xmodal_ros.nn.focus import attends, attention, grad_cam, of_all_queries
from xmodal_ros.nn.network import Encoded, FuseStage, Network

ATTENTION, GRAD_CAM = "attention", "grad_cam"
TOLERANCE_PX = 15.0
"""Of the pointing game, as where it comes from (Zhang et al., arXiv 1608.00507, section 5.1)."""

Maps = dict[str, np.ndarray]
"""By stream `(batch, rows, columns)`."""


@dataclass(frozen=True)
class Batch:
    """Examples as a network reads them, and where gels are touched."""

    features: Mapping[str, Encoded]
    """By stream, of every stream that the heads read: tokens and embedding, as
    `Network.features`; anything finite for an absent one."""
    present: Mapping[str, Tensor]
    """By stream, 1 where it is there, else 0. Shape: (batch,), float."""
    masks: Mapping[str, np.ndarray]
    """By gel stream, contact in its newest image `(batch, H, W) bool`; nothing touches where all
    of it is False, and that example's gel is not scored."""


@dataclass(frozen=True)
class Scores:
    """Of one map against one mask."""

    pointing: float
    """1 where the map's maximum is in the mask, give or take the tolerance, else 0; the mean over
    several maxima."""
    pointing_chance: float
    """Share of the map's cells that would be a hit."""
    energy: float
    """Share of the map's sum that is inside the mask."""
    energy_chance: float
    """Share of the image that is inside the mask."""
    empty: bool
    """Whether the map is without any weight; it counts as one without preference."""


def look(network: Network, head: str, batch: Batch) -> dict[str, Maps]:
    """Where a head looks, by measure; maps of a clip are added up over its steps.

    Args:
        network: In evaluation mode.
        head: Name of a head.
        batch: As it reads them.
    """
    stage = FuseStage(network, head)
    present = torch.stack([batch.present[s] for s in stage.streams], dim=1)
    features = [x for s in stage.streams for x in batch.features[s]]
    found = {GRAD_CAM: grad_cam(stage, present, *features)}
    if attends(network.architecture):
        encoded = list(features)
        for place, name in enumerate(stage.names):
            encoded[2 * place] = stage.branches[name].adapt(features[2 * place])
        found[ATTENTION] = of_all_queries(attention(stage, present, *encoded), present)
    return {
        measure: {s: (x.sum(1) if x.ndim == 4 else x).detach().numpy() for s, x in maps.items()}
        for measure, maps in found.items()
    }


def evaluate_focus(
    network: Network,
    batches: Iterable[Batch],
    tolerance_px: float = TOLERANCE_PX,
    largest: float = 1.0,
) -> dict[str, dict[str, dict[str, float]]]:
    """Mean scores by head and measure, over the gels that are touched.

    Args:
        network: In evaluation mode.
        batches: Examples with masks.
        tolerance_px: See `score`.
        largest: Share of the gel that a contact may cover at most, to be scored. Of one that
            covers most of the gel, no map can have much more inside than another.

    Returns:
        Means of the fields of `Scores`; `maps`, how many were scored; for attention also
        `share_<stream>`, the mean share of it that a present stream got.
    """
    scored: dict[tuple[str, str], list[Scores]] = defaultdict(list)
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for batch in batches:
        for head, settings in network.architecture.heads.items():
            for measure, maps in look(network, head, batch).items():
                for stream in (s for s in settings.streams if s in batch.masks):
                    there = batch.present[stream].numpy() > 0
                    area = batch.masks[stream].mean(axis=(1, 2))
                    touched = there & (area > 0) & (area <= largest)
                    scored[head, measure] += [
                        score(maps[stream][k], batch.masks[stream][k], tolerance_px)
                        for k in np.flatnonzero(touched)
                    ]
                if measure == ATTENTION:
                    for stream, focus in maps.items():
                        there = batch.present[stream].numpy() > 0
                        shares[head, stream] += focus[there].sum(axis=(1, 2)).tolist()
    results: dict[str, dict[str, dict[str, float]]] = {}
    for (head, measure), rows in scored.items():
        if rows:
            values = np.array([[*vars(row).values()] for row in rows])
            names = [*vars(rows[0])]
            means = dict(zip(names, values.mean(0).tolist(), strict=True))
            results.setdefault(head, {})[measure] = {"maps": len(rows), **means}
    for (head, stream), parts in shares.items():
        if parts and head in results:
            results[head][ATTENTION][f"share_{stream}"] = float(np.mean(parts))
    return results


def score(focus: np.ndarray, mask: np.ndarray, tolerance_px: float = TOLERANCE_PX) -> Scores:
    """Compare one map with one mask.

    Args:
        focus: Shape: (rows, columns), not negative.
        mask: Shape: (H, W), bool.
        tolerance_px: How far from the mask the middle of the map's highest cell may be, in the
            mask's pixels.
    """
    empty = not focus.any()
    if empty:
        focus = np.ones_like(focus)
    rows, columns = (
        ((np.arange(cells) + 0.5) / cells * size).astype(int)
        for cells, size in zip(focus.shape, mask.shape, strict=True)
    )
    outside = np.where(mask, 0, 1).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    hits = distance[np.ix_(rows, columns)] <= tolerance_px
    fine = resampled(focus, *mask.shape)
    return Scores(
        pointing=float(hits[focus == focus.max()].mean()),
        pointing_chance=float(hits.mean()),
        energy=float(fine[mask].sum() / fine.sum()),
        energy_chance=float(mask.mean()),
        empty=empty,
    )


def resampled(focus: np.ndarray, height: int, width: int) -> np.ndarray:
    """Mean of a map over the area of each pixel; a cell of the map is flat.

    Shape: (rows, columns) -> (height, width). The mean over all stays what it is.
    """
    rows, columns = focus.shape
    return _shares(height, rows) @ focus @ _shares(width, columns).T


def _shares(pixels: int, cells: int) -> np.ndarray:
    """Share of each pixel that lies in each cell `(pixels, cells)`, along one axis."""
    pixel, cell = np.arange(pixels)[:, None] / pixels, np.arange(cells)[None, :] / cells
    end = np.minimum(pixel + 1 / pixels, cell + 1 / cells)
    return np.maximum(end - np.maximum(pixel, cell), 0) * pixels
