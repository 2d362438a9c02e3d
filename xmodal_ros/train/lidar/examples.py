"""Scans of data sets to learn from: with images for pretraining, with labels for segmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud import IGNORE, PointClouds, Sweep, View
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.progress import progress_bar
from xmodal_ros.train.lidar.frames import Frame, Frames
from xmodal_ros.train.lidar.model import Batch
from xmodal_ros.train.lidar.settings import CmcrSettings
from xmodal_ros.train.lidar.vary import Look, vary_labelled, vary_pair

PARTS = (TRAIN, VALIDATION, TEST)
T = TypeVar("T", "Pair", "Labelled")


class Pair(NamedTuple):
    """A scan and one of its cameras."""

    data: PointClouds
    sweep: Sweep
    view: View

    @property
    def name(self) -> str:
        """Unique in its data sets."""
        return f"{self.data.root.name}/{self.sweep.name}, {self.view.name}"


class Labelled(NamedTuple):
    """A scan with classes of its points."""

    data: PointClouds
    sweep: Sweep

    @property
    def name(self) -> str:
        """Unique in its data set."""
        return self.sweep.name


class Pairs:
    """Scans with an image; those that cannot be used are left out, and `left_out` says why.

    Args:
        data: Data sets. Only scans of their parts are used.
        settings: Of range images and images, and of how they vary.
        cache: Folder of what is made of them, which runs can share.
        console: Where to show progress.

    Raises:
        DataError: the training or validation part has none.
    """

    def __init__(
        self, data: Sequence[PointClouds], settings: CmcrSettings, cache: Path, console: Console
    ) -> None:
        image = settings.image
        self._frames = Frames(cache, settings.lidar.view, (image.height, image.width))
        self.vary = settings.vary
        found = [
            Pair(one, sweep, view)
            for one in data
            for sweep in one.sweeps
            for view in sweep.views
            if sweep.part in PARTS
        ]
        self._pairs, self.left_out = _usable(
            found, lambda p: self._frames.seen(p.data, p.sweep, p.view), console
        )
        self.names = [pair.name for pair in self._pairs]
        for part in (TRAIN, VALIDATION):
            _require(len(self.indices(part)), part, "scan with an image", data, self.left_out)

    def indices(self, part: str) -> np.ndarray:
        """Of the pairs of a part `(N,) int64`."""
        return _indices(self._pairs, part)

    def batch(self, chosen: Iterable[int], rng: np.random.Generator) -> Batch:
        """Pairs as tensors, each varied at random."""
        looks = []
        for pair in (self._pairs[k] for k in chosen):
            scan = self._frames.frame(pair.data, pair.sweep).scan
            image, uv = self._frames.seen(pair.data, pair.sweep, pair.view)
            look = Look(scan, image, uv.reshape(*scan.shape[:2], 2))
            looks.append(vary_pair(look, self.vary, rng))
        scans, images, uvs = (
            torch.from_numpy(np.stack(each)) for each in zip(*looks, strict=True)
        )
        return Batch(scans, images, uvs.flatten(1, 2))


class LabelledScans:
    """Scans of a data set with classes of their points; see `Pairs`."""

    def __init__(
        self, data: PointClouds, settings: CmcrSettings, cache: Path, console: Console
    ) -> None:
        image = settings.image
        self._frames = Frames(cache, settings.lidar.view, (image.height, image.width))
        self.vary = settings.vary
        self.classes = data.classes
        found = [Labelled(data, s) for s in data.sweeps if s.labels and s.part in PARTS]
        self._scans, self.left_out = _usable(found, self._look, console)
        self.names = [scan.name for scan in self._scans]
        for part in (TRAIN, VALIDATION):
            _require(len(self.indices(part)), part, "scan with labels", [data], self.left_out)

    def indices(self, part: str) -> np.ndarray:
        """Of the scans of a part `(N,) int64`."""
        return _indices(self._scans, part)

    def frame(self, index: int) -> Frame:
        """A scan with the labels of all of its points."""
        return self._frames.frame(*self._scans[index])

    def batch(
        self, chosen: Iterable[int], rng: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Range images and labels of their pixels, varied at random where a generator is given.

        Returns:
            Shapes: (B, H, W, 4), float, and (B, H, W), int64.
        """
        found = [(frame.scan, frame.labels) for frame in map(self.frame, chosen)]
        if rng is not None:
            found = [vary_labelled(scan, labels, self.vary, rng) for scan, labels in found]
        scans, labels = _stacked(found)
        return scans, labels.long()

    def counts(self, chosen: Iterable[int]) -> np.ndarray:
        """Points of each class `(C,) int64`."""
        total = np.zeros(len(self.classes), np.int64)
        for frame in map(self.frame, chosen):
            total += np.bincount(frame.truth[frame.truth != IGNORE], minlength=len(total))
        return total

    def _look(self, scan: Labelled) -> None:
        if (self._frames.frame(*scan).labels == IGNORE).all():
            raise DataError("no point has a class", where=str(scan.sweep.labels))


def spread(indices: np.ndarray, most: int) -> np.ndarray:
    """At most so many of them, evenly spread."""
    chosen = np.linspace(0, len(indices) - 1, min(most, len(indices)))
    return indices[np.round(chosen).astype(np.int64)]


def _stacked(found: Sequence[tuple[np.ndarray, ...]]) -> list[Tensor]:
    """One tensor of each array of some examples."""
    return [torch.from_numpy(np.stack(each)) for each in zip(*found, strict=True)]


def _indices(found: Iterable[Pair | Labelled], part: str) -> np.ndarray:
    return np.array([k for k, one in enumerate(found) if one.sweep.part == part], np.int64)


def _usable(
    found: Sequence[T], make: Callable[[T], object], console: Console
) -> tuple[list[T], dict[str, str]]:
    """Make all of them, once: those that can be, and why the others cannot."""
    kept, left_out = [], {}
    with progress_bar(console, "reading scans", len(found)) as bar:
        for done, one in enumerate(found, start=1):
            try:
                make(one)
                kept.append(one)
            except DataError as error:
                left_out[one.name] = str(error)
            bar.update(done, f"{done}/{len(found)}, {bar.rate(done):.0f}/s")
    return kept, left_out


def _require(
    count: int, part: str, what: str, data: Sequence[PointClouds], left_out: dict[str, str]
) -> None:
    if not count:
        first = next(iter(left_out.values()), "")
        raise DataError(
            f"no {what} in the {part} part"
            + (f"; {len(left_out)} are left out, first: {first}" if left_out else ""),
            where=", ".join(str(one.root) for one in data),
            do="See `xmodal data check`.",
        )
