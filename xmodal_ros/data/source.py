"""Where images are: a file, or a place in a file that holds many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image is, or the images of a video."""

    path: Path
    place: str = ""
    """In a file that holds many: name in an HDF5 file, "topic@log time" in a recording, number of
    a video's frame from 0 on, or empty for the whole video."""

    def __str__(self) -> str:
        return f"{self.path}:{self.place}" if self.place else str(self.path)


Found = Iterator[tuple[Source, "list[np.ndarray] | DataError"]]
"""Of each source, its images or why it cannot be read."""
