"""Whether points and pixels find each other: nearest neighbours between the two modalities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud import PointClouds
from xmodal_ros.nn.losses.point_pixel import Pairs, sample_pixels
from xmodal_ros.train.lidar.frames import Frames
from xmodal_ros.train.lidar.model import Cmcr
from xmodal_ros.train.lidar.score import ranks, retrieval

CANDIDATES = 512
"""Points of an image among which each has to be found; all where it shows fewer."""


def retrieve(
    model: Cmcr, data: PointClouds, part: str, cache: Path
) -> dict[str, dict[str, float]]:
    """Retrieval within each image of a part; what is drawn is always the same.

    Args:
        model: In evaluation mode.
        data: With cameras.
        part: Of it.
        cache: Folder of range images.

    Returns:
        `image to point` and `point to image`: see `score.retrieval`.

    Raises:
        DataError: there is no such part, none of its scans has an image, or one cannot be read.
    """
    image = model.settings.image
    frames = Frames(cache, model.settings.lidar.view, (image.height, image.width))
    rng = np.random.default_rng(0)
    found: dict[str, list[np.ndarray]] = {"image to point": [], "point to image": []}
    sizes = []
    for sweep in data.part(part):
        for view in sweep.views:
            scan, seen = frames.frame(data, sweep).scan, frames.seen(data, sweep, view)
            shown = np.flatnonzero(~np.isnan(seen.uv[:, 0]))
            chosen = rng.permutation(shown)[:CANDIDATES]
            if len(chosen) < 2:
                continue
            points, pixels = _features(model, scan, seen.image, seen.uv, chosen)
            found["image to point"].append(ranks(pixels, points))
            found["point to image"].append(ranks(points, pixels))
            sizes.append(len(chosen))
    if not sizes:
        raise DataError(
            f"no scan of the {part} part has an image", where=str(data.root), do="Name another"
        )
    return {name: retrieval(each, sizes) for name, each in found.items()}


def _features(
    model: Cmcr, scan: np.ndarray, image: np.ndarray, uv: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shared features of points and of their pixels, twice `(N, dim)`, unit length."""
    index = torch.from_numpy(chosen)
    pairs = Pairs(torch.zeros_like(index), index, torch.from_numpy(uv[chosen]))
    with torch.inference_mode():
        maps = model.encoder.features(torch.from_numpy(scan)[None]).flatten(1, 2)
        points = model.encoder.heads(maps[0, index]).shared
        shared, _ = model.heads(model.image(torch.from_numpy(image)[None]))
        size = (image.shape[0], image.shape[1])
        pixels = F.normalize(sample_pixels(shared, pairs, size), dim=1)
    return points.numpy(), pixels.numpy()
