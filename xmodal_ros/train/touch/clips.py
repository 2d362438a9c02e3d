"""Images of examples, brought to the network's size once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from rich.progress import track

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.pictures import read, require_rgb8
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import Example
from xmodal_ros.nn.architecture import Architecture, GelSettings, ImageSettings
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.pretrain.files import require_room


class Size(NamedTuple):
    """What a stream's images become."""

    clip: bool
    """Whether the network reads a clip, or one image."""
    frames: int
    height: int
    width: int


def image_sizes(architecture: Architecture) -> dict[str, Size]:
    """Size of a network's images by stream."""
    sizes = {}
    for stream in architecture.streams:
        branch = architecture.branch(stream)
        if isinstance(branch, ImageSettings):
            clip = isinstance(branch, GelSettings)
            frames = branch.frames if isinstance(branch, GelSettings) else 1
            sizes[stream] = Size(clip, frames, branch.height, branch.width)
    return sizes


class Images:
    """By stream `(N, T, height, width, 3) uint8` of all examples, zeros where there are none.

    Args:
        examples: All.
        sizes: By stream; others are not read.
        spacing_s: Time between the images of a clip. Where a clip begins later, its first image
            is repeated; where its rate is not known, its images are taken as they follow.
        folder: Where they are kept.

    Raises:
        DataError: there is no room in the folder.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        sizes: Mapping[str, Size],
        spacing_s: float,
        folder: Path,
    ) -> None:
        self._examples, self._sizes, self._spacing_s = examples, sizes, spacing_s
        self._folder = folder
        self.clips = {stream: size.frames for stream, size in sizes.items() if size.clip}
        self.problems: dict[str, str] = {}
        """Why an example's images cannot be used, by its name."""
        self._arrays = {stream: self._kept(stream) for stream in sizes}

    def __getitem__(self, stream: str) -> np.ndarray:
        return self._arrays[stream]

    def key(self, stream: str) -> str:
        """Of what the images are, hexadecimal."""
        digest = hashlib.sha256(json.dumps([self._sizes[stream], self._spacing_s]).encode())
        for example in self._examples:
            for source in example.streams.get(stream, ())[-1:]:
                found = source.path.stat() if source.path.exists() else None
                facts = (found.st_size, found.st_mtime_ns) if found else ()
                digest.update(f"{example.name} {source} {facts}\n".encode())
            digest.update(b"-")
        return digest.hexdigest()

    def _kept(self, stream: str) -> np.ndarray:
        key = self.key(stream)
        path = self._folder / f"images-{key[:16]}.npy"
        told = path.with_suffix(".json")
        if not told.exists():
            size = self._sizes[stream]
            shape = (len(self._examples), size.frames, size.height, size.width, 3)
            # A mapped file is filled where it lies: a full disk would kill the process.
            require_room(self._folder, math.prod(shape))
            array = open_memmap(path, "w+", np.uint8, shape)
            problems = self._fill(stream, array)
            array.flush()
            told.write_text(json.dumps(problems), encoding="utf-8")  # last: the images are whole
        self.problems |= json.loads(told.read_text(encoding="utf-8"))
        return np.load(path, mmap_mode="r")

    def _fill(self, stream: str, array: np.ndarray) -> dict[str, str]:
        size, problems = self._sizes[stream], {}
        by_file: dict[Path, list[tuple[int, list[Source], list[int]]]] = defaultdict(list)
        for row, example in enumerate(self._examples):
            if stream in example.streams:
                sources, places = self._chosen(example, stream, size.frames)
                by_file[sources[0].path].append((row, sources, places))
        for wanted in track(by_file.values(), f"images of {stream}"):
            needed = list(dict.fromkeys(s for _, sources, _ in wanted for s in sources))
            found = dict(_images(needed))
            for row, sources, places in wanted:
                images: list[np.ndarray] = []
                for source in sources:
                    got = found[source]
                    if isinstance(got, DataError):
                        problems[self._examples[row].name] = str(got)
                        break
                    images += got
                else:
                    frames = [images[max(len(images) - 1 - back, 0)] for back in places]
                    array[row] = [resize_image(f, size.height, size.width) for f in frames]
        return problems

    def _chosen(
        self, example: Example, stream: str, frames: int
    ) -> tuple[list[Source], list[int]]:
        """Sources to read, and how far before their last image each frame is, oldest first."""
        rate = example.rates.get(stream, 0.0)
        step = max(1, round(self._spacing_s * rate)) if rate else 1
        places = [step * k for k in reversed(range(frames))]
        sources = list(example.streams[stream])
        if len(sources) == 1:  # one image, or a video
            return sources, places
        picked = [sources[max(len(sources) - 1 - back, 0)] for back in places]
        return picked, list(reversed(range(frames)))


def _images(sources: Sequence[Source]) -> Iterator[tuple[Source, list[np.ndarray] | DataError]]:
    """Images by source, or why there are none; a recording is read in one pass."""
    by_path: dict[Path, list[Source]] = defaultdict(list)
    for source in sources:
        by_path[source.path].append(source)
    for together in by_path.values():
        for source, found in read(together):
            yield source, found if isinstance(found, DataError) else _checked(source, found)


def _checked(source: Source, images: list[np.ndarray]) -> list[np.ndarray] | DataError:
    try:
        for image in images:
            require_rgb8(image, str(source))
    except DataError as error:
        return error
    return images
