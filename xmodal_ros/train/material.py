"""Material from one photo (material_photos): 18 kinds of texture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from xmodal_ros.data.material_photos import MaterialPhotos, Tile
from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.nn.architecture import ImageSettings
from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.examples import Index, Inputs
from xmodal_ros.train.features import cached

KINDS = 18
STREAMS = {"camera": "camera"}
SPLIT = "material_photos"
STRETCHES = 5
"""Neighbours in the list of a category are often variants of one texture: held out one by one,
they would be known from their siblings. The manifest's test part is the last fifth of each
category; folds hold out fifths of what is left."""
VIEWS = 8
"""Views of each training photo, which all look like a photo of the same material."""
BATCH = 16


def kinds(tiles: Sequence[Tile]) -> tuple[str, ...]:
    """The most frequent categories, most frequent first, like counts in alphabetical order."""
    counts = Counter(sorted(t.category for t in tiles))
    return tuple(name for name, _ in counts.most_common(KINDS))


def stretches(tiles: Sequence[Tile]) -> np.ndarray:
    """Groups for folds: each category's textures of one part, in `STRETCHES` runs of neighbours.

    Returns:
        `(N,) str`.
    """
    counts = Counter((t.category, t.split) for t in tiles)
    seen: Counter[tuple[str, str]] = Counter()
    groups = []
    for tile in tiles:
        key = tile.category, tile.split
        groups.append(f"{tile.category} {tile.split} {seen[key] * STRETCHES // counts[key]}")
        seen[key] += 1
    return np.array(groups)


class MaterialExamples:
    """Photos of the `KINDS` most frequent categories; training photos in several cached views."""

    def __init__(
        self, root: Path, cache: Path, encoder: ImageEncoder, settings: ImageSettings
    ) -> None:
        data = MaterialPhotos(root / SPLIT)
        split = load_split(FOLDER / f"{SPLIT}.csv", data.root)
        self.labels = kinds(data.tiles)
        self.tiles = [t for t in data.tiles if t.category in self.labels]
        held_out = set(split.groups("test"))
        classes = [self.labels.index(t.category) for t in self.tiles]
        self.index = Index(
            targets=np.eye(KINDS, dtype=np.float32)[classes],
            groups=stretches(self.tiles),
            test=np.array([t.name in held_out for t in self.tiles]),
            scored=np.ones(len(self.tiles), bool),
        )
        count = len(self.tiles) * VIEWS
        key = {
            "split": split.sha256,
            "settings": vars(settings),
            "views": VIEWS,
            "augmentation": 2,
        }
        self.features = cached(
            cache,
            key,
            encoder,
            lambda: _views(data, self.tiles, settings),
            -(-count // BATCH),
            "photo features",
        )

    def batch(self, chosen: np.ndarray, rng: np.random.Generator | None) -> Inputs:
        """Tokens (batch, tokens, width) and pooled features; random views where `rng` is given."""
        view = 0 if rng is None else rng.integers(0, VIEWS, len(chosen))
        return {"camera": self.features[chosen * VIEWS + view]}

    def pairs(self, chosen: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Pooled features of two different views of one photo: a positive pair."""
        first = rng.integers(0, VIEWS, len(chosen))
        second = (first + rng.integers(1, VIEWS, len(chosen))) % VIEWS
        rows = chosen * VIEWS
        return self.features.pooled[rows + first], self.features.pooled[rows + second]


def _views(
    data: MaterialPhotos, tiles: Sequence[Tile], settings: ImageSettings
) -> Iterator[tuple[np.ndarray, ...]]:
    made: list[np.ndarray] = []
    for tile in tiles:
        made += [resize_image(v, settings.height, settings.width) for v in views(data.image(tile))]
        while len(made) >= BATCH:
            yield (np.stack(made[:BATCH]),)
            made = made[BATCH:]
    if made:
        yield (np.stack(made),)


def views(photo: np.ndarray) -> list[np.ndarray]:
    """The eight symmetries of a square, the photo itself first.

    Not its parts and not other colours: how large a grain looks, and what colour it has, tell the
    materials apart (docs/training.md has the numbers).

    Args:
        photo: `(H, W, 3) uint8` RGB.
    """
    turned = [np.rot90(photo, quarters) for quarters in range(VIEWS // 2)]
    return [np.ascontiguousarray(v) for v in turned + [t[:, ::-1] for t in turned]]
