"""Looks at every image of a data set once, and keeps what a check needs to know of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.pictures import read
from xmodal_ros.data.source import Source

THUMBNAIL_PX = 8
_FILES_AT_A_TIME = 256
"""Bounds what waits in memory."""
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of one image, or of a video, whose first image stands for all."""

    source: Source
    error: str = ""
    """Why it cannot be read; nothing else is known then."""
    shape: tuple[int, ...] = ()
    """Images, height, width."""
    channels: int = 0
    bits: int = 0
    grey: bool = False
    """One channel, or three that are the same."""
    digest: bytes = b""
    thumbnail: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    """`(8, 8, 3) uint8`."""


def look(sources: Iterable[Source]) -> Iterator[Look]:
    """Look at images, several files at a time; each file is opened once."""
    files: dict[Path, list[Source]] = {}
    for source in sources:
        files.setdefault(source.path, []).append(source)
    waiting = iter(files.values())
    with ThreadPoolExecutor() as pool:
        while some := list(islice(waiting, _FILES_AT_A_TIME)):
            for looks in pool.map(_file, some):
                yield from looks


def changed(expected: Mapping[Path, str]) -> Iterator[Path]:
    """Files whose content has another SHA-256 than is expected, and what is no file."""
    for path, digest in expected.items():
        if not path.is_file():
            yield path
            continue
        found = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                found.update(block)
        if found.hexdigest() != digest:
            yield path


def _file(sources: list[Source]) -> list[Look]:
    return [_look(source, found) for source, found in read(sources)]


def _look(source: Source, found: list[np.ndarray] | DataError) -> Look:
    if isinstance(found, DataError):
        return Look(source, error=found.what)
    first = found[0]
    digest = hashlib.blake2b(digest_size=16)
    for image in found:
        digest.update(str((image.shape, image.dtype)).encode())
        digest.update(image.tobytes())
    grey = first.ndim == 2 or bool(
        (first[..., 0] == first[..., 1]).all() and (first[..., 1] == first[..., 2]).all()
    )
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    scale = 1 / 257 if first.dtype == np.uint16 else 1.0
    small = cv2.resize(first.astype(np.float32), size, interpolation=cv2.INTER_AREA) * scale
    if small.ndim == 2:
        small = np.repeat(small[..., None], 3, axis=2)
    return Look(
        source,
        shape=(len(found), *first.shape[:2]),
        channels=1 if first.ndim == 2 else first.shape[2],
        bits=8 * first.dtype.itemsize,
        grey=grey,
        digest=digest.digest(),
        thumbnail=np.clip(np.rint(small), 0, 255).astype(np.uint8),
    )
