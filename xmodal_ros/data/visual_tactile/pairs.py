"""Pairs of a camera and a gel image, as contrastive pretraining takes them."""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.pictures import load
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile import open_dataset
from xmodal_ros.data.visual_tactile.example import CAMERA, TEST, VALIDATION, VisualTactile
from xmodal_ros.data.visual_tactile.look import Look, look


class Pair(NamedTuple):
    """What was seen and felt at one time."""

    name: str
    """For errors: the example, and the gel's stream."""
    camera: np.ndarray
    """`(H, W, 3) uint8` RGB."""
    tactile: np.ndarray
    """`(H, W, 3) uint8` RGB."""


class Pairs:
    """Each gel's newest image of each example, with the camera's newest one.

    Indexing reads from the disk, and may be done by several threads at once.

    Args:
        data: The data set. Its validation and test parts are left out; unlabelled examples of
            other parts are not.
        labelled: A head without whose label examples are left out, such as material where gels
            touch nothing most of the time; empty for none.

    Raises:
        DataError: no example of the rest has a camera and a gel image.
    """

    def __init__(self, data: VisualTactile, labelled: str = "") -> None:
        self._sources: list[tuple[str, Source, Source]] = [
            (f"{example.name} {stream}", example.streams[CAMERA][-1], clip[-1])
            for example in data.examples
            if example.part not in (VALIDATION, TEST) and CAMERA in example.streams
            if not labelled or labelled in example.labels
            for stream, clip in example.streams.items()
            if stream != CAMERA
        ]
        if not self._sources:
            raise DataError(
                "no example to train on has a camera and a gel image",
                where=str(data.root),
                do="See `xmodal data check`.",
            )

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, index: int) -> Pair:
        """Read a pair.

        Raises:
            DataError: an image cannot be read, is grey or not of 8 bits.
        """
        name, camera, gel = self._sources[index]
        return Pair(name, load([camera])[0], load([gel])[0])

    def unusable(
        self, listener: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, str]:
        """Why pairs cannot be used, by their names; every image is read once, file by file.

        Args:
            listener: Told of images done, and of all.
        """
        sources = dict.fromkeys(source for _, *both in self._sources for source in both)
        looks: dict[Source, Look] = {}
        for seen in look(sources):
            looks[seen.source] = seen
            listener(len(looks), len(sources))
        found = {
            name: _why_not(looks[camera]) or _why_not(looks[gel], colour=True)
            for name, camera, gel in self._sources
        }
        return {name: why for name, why in found.items() if why}

    def leave_out(self, names: Container[str]) -> None:
        """Forget pairs, by their names."""
        self._sources = [pair for pair in self._sources if pair[0] not in names]


def _why_not(seen: Look, *, colour: bool = False) -> str:
    """What is wrong with an image, empty if nothing is."""
    if seen.error:
        return f"{seen.source}: {seen.error}"
    if seen.bits != 8:
        return f"{seen.source}: {seen.bits} bits per channel; expected 8"
    if seen.channels != 3 or (colour and seen.grey):
        return f"{seen.source}: grey; expected colour"
    return ""


def open_pairs(
    root: Path | str,
    kind: str = "",
    split: str = "",
    *,
    labelled: str = "",
    force: bool = False,
) -> Pairs:
    """Open a data set for pretraining; see `open_dataset` and `Pairs`."""
    return Pairs(open_dataset(root, kind, split, force=force), labelled)
