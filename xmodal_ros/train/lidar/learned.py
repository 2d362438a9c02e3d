"""Pictures of what pretraining has learned of a scan: reconstructions, occupancy and codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from xmodal_ros.data.point_cloud import View
from xmodal_ros.data.point_cloud.drawing import BACKGROUND, class_colours, shades
from xmodal_ros.nn.losses.masked_image import draw_patches, hide
from xmodal_ros.nn.losses.rays import Queries, neighbours, seen_from_sensor
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.lidar.frames import where_seen
from xmodal_ros.train.lidar.model import Batch, Cmcr

HALF_DEG = 2.0
"""Half of the sector whose points are drawn into a slice, and tell of it."""
PLACES = (96, 128)
"""Rows and columns of places that are asked about in it."""
NEARBY = 0.95
"""Share of the sector's points that it shows."""
BARS_PX = (192, 256)
COLOURS = 20
"""Of codes; more codes share them."""
RECONSTRUCTED = {"image": "reconstructed", "geometry": "reconstructed with points"}
"""Titles by objective."""


def learned(
    model: Cmcr, scan: np.ndarray, views: Sequence[View]
) -> Iterator[tuple[str, np.ndarray]]:
    """Draw what has been learned, of objectives that have a weight.

    Args:
        model: In evaluation mode.
        scan: Range image `(H, W, 4)`.
        views: Cameras of the scan, of which the first is drawn; without any, occupancy alone.

    Yields:
        Titles and pictures `(height, width, 3) uint8`.
    """
    loss = model.settings.loss
    with torch.inference_mode():
        maps = model.encoder.features(torch.from_numpy(scan)[None]).flatten(1, 2)  # (1, H * W, C)
        if loss.occupancy:
            yield _slice(model, torch.from_numpy(scan).flatten(0, 1), maps[0])
        for view in views[:1]:
            size = model.settings.image.height, model.settings.image.width
            image = resize_image(view.image(), *size)
            uv = where_seen(scan.reshape(-1, 4), view, size)
            batch = Batch(*(torch.from_numpy(x)[None] for x in (scan, image, uv)))
            yield from _images(model, batch, maps)
            if loss.coded:
                yield from _codes(model, batch, maps)


def _slice(model: Cmcr, points: Tensor, maps: Tensor) -> tuple[str, np.ndarray]:
    """Occupancy of a plane through the LiDAR's axis, where it is nearest to things, in white."""
    away = points[:, :2].norm(dim=1)
    azimuth = torch.atan2(points[:, 1], points[:, 0]).rad2deg()
    there = points[:, :3].any(1)
    sectors = ((azimuth[there] + 180) // (2 * HALF_DEG)).long()
    count = torch.bincount(sectors)
    mean = torch.bincount(sectors, away[there]) / count.clamp(min=1)
    middle = mean.where(count >= count.max() / 2, torch.inf).argmin()
    middle = (middle + 0.5) * 2 * HALF_DEG - 180
    inside = (there & ((azimuth - middle).abs() <= HALF_DEG)).nonzero()[:, 0]
    reach = float(away[inside].quantile(NEARBY)) * 1.1
    low, high = (float(points[inside, 2].quantile(q)) for q in (1 - NEARBY, NEARBY))
    rows, columns = PLACES
    z = torch.linspace(high + 0.2, low - 0.2, rows)
    x = torch.linspace(0, reach, columns)
    up, along = torch.meshgrid(z, x, indexing="ij")
    turned = middle.deg2rad()
    places = torch.stack([along * turned.cos(), along * turned.sin(), up], -1).flatten(0, 1)
    nothing = torch.zeros(len(places))
    radius = model.settings.draw.radius_m
    near = neighbours(Queries(places, nothing, nothing), points[inside], radius)
    told = model.encoder.heads(maps[inside[near.point]])
    offset = seen_from_sensor(near.offset, points[inside[near.point]]) / radius
    decoded = model.rays(told.specific, model.book(told.shared).values, offset)[:, 0].sigmoid()
    count = torch.bincount(near.query, minlength=len(places))
    mean = torch.bincount(near.query, decoded, minlength=len(places)) / count.clamp(min=1)
    picture = shades(mean.numpy(), 0, 1)
    picture[count.numpy() == 0] = BACKGROUND
    picture = picture.reshape(rows, columns, 3)
    row = ((z[0] - points[inside, 2]) / (z[0] - z[-1]) * (rows - 1)).round().long()
    column = (away[inside] / reach * (columns - 1)).round().long()
    drawn = (row >= 0) & (row < rows) & (column < columns)
    picture[row[drawn].numpy(), column[drawn].numpy()] = 255
    return f"occupancy at {float(middle):.0f} deg, {reach:.1f} m", picture


def _images(model: Cmcr, batch: Batch, maps: Tensor) -> Iterator[tuple[str, np.ndarray]]:
    """An image half of which is hidden, and what is made of it, without and with points."""
    settings = model.settings.image
    random = torch.Generator().manual_seed(0)
    size = settings.height, settings.width
    hidden = draw_patches(1, size, model.settings.draw.patch, 1.0, generator=random)
    masked = hide(batch.images, hidden)
    shared, own = model.heads(model.image(masked))
    decoded = model.reconstructions(batch, hidden, maps, shared, own)
    if decoded:
        yield "half of it hidden", masked[0].numpy()
    for name, images in decoded.items():
        yield RECONSTRUCTED[name], _image(images)


def _image(decoded: Tensor) -> np.ndarray:
    """Shape: (1, 3, h, w) -> (h, w, 3) uint8."""
    found: np.ndarray = (255 * decoded[0].clamp(0, 1)).round().byte().permute(1, 2, 0).numpy()
    return found


def _codes(model: Cmcr, batch: Batch, maps: Tensor) -> Iterator[tuple[str, np.ndarray]]:
    """Codes of an image's cells, of the points in it, and how often both use each."""
    inside = ~batch.uv[0, :, 0].isnan()
    point = model.book(model.encoder.heads(maps[0, inside]).shared).code.numpy()
    shared, _ = model.heads(model.image(batch.images))
    pixel = model.book(shared.permute(0, 2, 3, 1)).code[0].numpy()
    height, width = batch.images.shape[1:3]
    large = cv2.resize(class_colours(pixel % COLOURS), (width, height), interpolation=0)
    yield "codes of the image", large
    drawn = np.full((height, width, 3), BACKGROUND, np.uint8)
    column, row = np.floor(batch.uv[0, inside].numpy() + 0.5).astype(int).T
    drawn[row, column] = class_colours(point % COLOURS)
    yield "codes of points in it", drawn
    yield "use of codes: image up, points down", _bars(pixel.ravel(), point, len(model.book.codes))


def _bars(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Shares of each code, of the first up and of the second down, by how often both use it."""
    height, width = BARS_PX
    shares = np.stack([np.bincount(x, minlength=count) / max(len(x), 1) for x in (first, second)])
    shares = shares[:, np.argsort(-shares.sum(0))]
    # Square roots, so that rare codes are seen as well.
    lengths = np.sqrt(shares / max(shares.max(), 1e-9)) * (height // 2 - 2)
    picture = np.full((height, width, 3), 255, np.uint8)
    for column in range(width):
        code = column * count // width
        up, down = lengths[:, code].astype(int)
        picture[height // 2 - up : height // 2, column] = class_colours(np.array(0))
        picture[height // 2 : height // 2 + down, column] = class_colours(np.array(1))
    return picture
