"""Previews of material textures, labelled by category.

Source: ambientCG, CC0. Tiles of 128x128 in which white padding surrounds what is not square.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import read_table, require


@dataclass(frozen=True, slots=True)
class Tile:
    """One texture."""

    name: str
    category: str
    width: int
    """Of the content at the upper left, px; the rest of the tile is padding."""
    height: int
    split: str
    """The manifest's own split by texture: train or test."""


class MaterialPhotos:
    """The data set in a folder.

    Raises:
        DataError: the manifest is missing or lacks a column.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        columns = ("tile", "category", "content_w", "content_h", "split")
        rows = read_table(self.root / "manifest.csv", columns)
        self.tiles = tuple(
            Tile(r["tile"], r["category"], int(r["content_w"]), int(r["content_h"]), r["split"])
            for r in rows
        )

    def image(self, tile: Tile) -> np.ndarray:
        """The texture without its padding, `(H, W, 3) uint8` RGB.

        Raises:
            DataError: the file is missing or is not an image.
        """
        path = require(self.root / "tiles" / tile.name)
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise DataError("cannot be decoded", where=str(path), expected="an image")
        return cv2.cvtColor(image[: tile.height, : tile.width], cv2.COLOR_BGR2RGB)
