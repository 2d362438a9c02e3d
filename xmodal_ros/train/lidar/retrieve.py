"""Whether points and pixels find each other: nearest neighbours between the two modalities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud import PointClouds
from xmodal_ros.nn.losses.point_pixel import Pairs, sample_pixels
from xmodal_ros.train.lidar.frames import Frames
from xmodal_ros.train.lidar.model import Cmcr
from xmodal_ros.train.lidar.score import ranks, retrieval
from xmodal_ros.train.lidar.settings import CmcrSettings

CANDIDATES = 512
"""Points of an image among which each has to be found; all where it shows fewer."""
REGION_PX = 16
"""Side of the cells of an image whose points are a region."""

DIRECTIONS = ("image to point", "point to image", "image to region")
"""What is searched for by what."""


class Candidates(NamedTuple):
    """Points of a scan that an image shows, and their pixels."""

    scan: np.ndarray
    """Range image `(H, W, 4)`."""
    image: np.ndarray
    """`(h, w, 3) uint8`."""
    points: np.ndarray
    """Pixels of the range image `(N,) int64`."""
    uv: np.ndarray
    """Columns and rows in the image `(N, 2) float32`."""


Embed = Callable[[Candidates], tuple[np.ndarray, np.ndarray]]
"""What points and pixels are compared by `(N, d)`: the nearer, the more alike."""


def candidates(
    data: PointClouds, part: str, settings: CmcrSettings, cache: Path
) -> list[Candidates]:
    """Points and pixels of each image of a part; what is drawn is always the same.

    Args:
        data: With cameras.
        part: Of it.
        settings: Of range images and images.
        cache: Folder of range images.

    Raises:
        DataError: there is no such part, none of its scans has an image, or one cannot be read.
    """
    frames = Frames(cache, settings.lidar.view, (settings.image.height, settings.image.width))
    rng = np.random.default_rng(0)
    found = []
    for sweep in data.part(part):
        for view in sweep.views:
            scan, seen = frames.frame(data, sweep).scan, frames.seen(data, sweep, view)
            shown = np.flatnonzero(~np.isnan(seen.uv[:, 0]))
            chosen = rng.permutation(shown)[:CANDIDATES]
            if len(chosen) > 1:
                found.append(Candidates(scan, seen.image, chosen, seen.uv[chosen]))
    if not found:
        raise DataError(
            f"no scan of the {part} part has an image", where=str(data.root), do="Name another"
        )
    return found


def retrieve(asked: list[Candidates], embed: Embed) -> dict[str, dict[str, float]]:
    """Retrieval within each image.

    Returns:
        By `DIRECTIONS`: see `score.retrieval`. Regions are the points in cells of `REGION_PX`, by
        their mean.
    """
    found: dict[str, list[tuple[np.ndarray, int]]] = {}
    for each in asked:
        points, pixels = embed(each)
        cells = (each.uv / REGION_PX).astype(np.int64) @ (1, each.image.shape[1])
        _, region = np.unique(cells, return_inverse=True)
        regions = np.stack([points[region == k].mean(0) for k in range(region.max() + 1)])
        every = np.arange(len(points))
        searches = ((pixels, points, every), (points, pixels, every), (pixels, regions, region))
        for name, (queries, keys, own) in zip(DIRECTIONS, searches, strict=True):
            if len(keys) > 1:
                found.setdefault(name, []).append((ranks(queries, keys, own), len(keys)))
    return {name: retrieval(*zip(*each, strict=True)) for name, each in found.items()}


def learned(model: Cmcr) -> Embed:
    """Shared features of a model in evaluation mode, each modality's less their mean in an image.

    Points of a world that was never trained on have more in common with each other than with
    their pixels (the modality gap, arXiv 2203.02053), which does not tell who belongs to whom.
    """

    def embed(asked: Candidates) -> tuple[np.ndarray, np.ndarray]:
        index = torch.from_numpy(asked.points)
        pairs = Pairs(torch.zeros_like(index), index, torch.from_numpy(asked.uv))
        with torch.inference_mode():
            maps = model.encoder.features(torch.from_numpy(asked.scan)[None]).flatten(1, 2)
            points = model.encoder.heads(maps[0, index]).shared
            shared, _ = model.heads(model.image(torch.from_numpy(asked.image)[None]))
            size = (asked.image.shape[0], asked.image.shape[1])
            pixels = F.normalize(sample_pixels(shared, pairs, size), dim=1)
        return (points - points.mean(0)).numpy(), (pixels - pixels.mean(0)).numpy()

    return embed


def by_place(asked: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Directions against places in the image, for a camera that looks where the points are."""
    x, y, z, _ = asked.scan.reshape(-1, 4)[asked.points].T
    azimuth = np.angle(
        (x + 1j * y) * np.exp(-1j * np.angle(np.mean(np.exp(1j * np.arctan2(y, x)))))
    )
    directions = np.stack([-azimuth, -np.arctan2(z, np.hypot(x, y))], axis=1)
    return _standard(directions), _standard(asked.uv)


def by_light(asked: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Intensity of points against brightness of pixels."""
    intensity = asked.scan.reshape(-1, 4)[asked.points, 3:]
    return _standard(intensity), _standard(_at(asked, _gray(asked.image)))


def by_edges(asked: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the distance to points beside against the image's gradient."""
    away = np.log(np.linalg.norm(asked.scan[..., :3], axis=2).clip(1e-3))
    gray = _gray(asked.image)
    slope = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    spread = cv2.dilate(away, np.ones((3, 3))) - cv2.erode(away, np.ones((3, 3)))
    steps = spread.reshape(-1, 1)[asked.points]
    return _standard(np.log(steps + 1e-3)), _standard(np.log(_at(asked, slope) + 1.0))


BASELINES: dict[str, Embed] = {
    "by place": by_place,
    "by brightness and intensity": by_light,
    "by edges": by_edges,
}
"""What needs no training."""


def _gray(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _at(asked: Candidates, values: np.ndarray) -> np.ndarray:
    """Values of an image `(h, w)` at the pixels of points `(N, 1)`."""
    column, row = (asked.uv + 0.5).astype(np.int64).T
    return values[row, column][:, None]


def _standard(values: np.ndarray) -> np.ndarray:
    """Values `(N, d)` less their means, by their deviations."""
    centred: np.ndarray = values - values.mean(0)
    return centred / values.std(0).clip(1e-6)
