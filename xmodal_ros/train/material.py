"""Material from one photo (material_photos): 18 kinds of texture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
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
VIEWS = 8
"""Views of each training photo: the photo itself, then random crops."""
BATCH = 16


def kinds(tiles: Sequence[Tile]) -> tuple[str, ...]:
    """The most frequent categories, most frequent first, like counts in alphabetical order."""
    counts = Counter(sorted(t.category for t in tiles))
    return tuple(name for name, _ in counts.most_common(KINDS))


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
            groups=np.array([t.name for t in self.tiles]),
            test=np.array([t.name in held_out for t in self.tiles]),
            scored=np.ones(len(self.tiles), bool),
        )
        count = len(self.tiles) * VIEWS
        key = {
            "split": split.sha256,
            "settings": vars(settings),
            "views": VIEWS,
            "augmentation": 1,
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
    rng = np.random.default_rng(0)  # part of the data, like the photos; not of a run
    made: list[np.ndarray] = []
    for tile in tiles:
        photo = data.image(tile)
        made.append(resize_image(photo, settings.height, settings.width))
        made += [augment(photo, settings.height, settings.width, rng) for _ in range(VIEWS - 1)]
        while len(made) >= BATCH:
            yield (np.stack(made[:BATCH]),)
            made = made[BATCH:]
    if made:
        yield (np.stack(made),)


def augment(photo: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A random crop of at least half the side, turned by quarters, mirrored, in another light.

    Args:
        photo: `(H, W, 3) uint8` RGB.
        height: Of the result, px.
        width: Of the result, px.
        rng: Source of randomness.

    Returns:
        `(height, width, 3) uint8`.
    """
    h, w = (max(1, round(s * rng.uniform(0.5, 1.0))) for s in photo.shape[:2])
    y, x = rng.integers(0, photo.shape[0] - h + 1), rng.integers(0, photo.shape[1] - w + 1)
    view = np.rot90(photo[y : y + h, x : x + w], int(rng.integers(4)))
    if rng.random() < 0.5:
        view = view[:, ::-1]
    view = resize_image(np.ascontiguousarray(view), height, width).astype(np.float32)
    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)[..., None]
    view = grey + rng.uniform(0.7, 1.3) * (view - grey)  # saturation
    view = view * rng.uniform(0.8, 1.25) * rng.uniform(0.93, 1.07, 3)  # brightness, white balance
    return np.clip(np.rint(view), 0, 255).astype(np.uint8)
