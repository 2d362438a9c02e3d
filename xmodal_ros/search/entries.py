"""What an index has entries of: its bundle, recordings and moments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import UserError


class StoreError(UserError):
    """An index is not there, of another bundle, or cannot be read or written."""


@dataclass(frozen=True)
class Model:
    """The bundle whose embeddings are kept; those of another one cannot be compared with them."""

    id: str
    weights_hash: str

    def __str__(self) -> str:
        """As errors name it."""
        return f"'{self.id}' (weights {self.weights_hash[:12]})"


@dataclass(frozen=True)
class Known:
    """A recording of the index."""

    path: Path
    print: str
    """Tells whether it is still the same, wherever it is."""
    made: str
    """With which settings its moments were made."""
    start_ns: int


@dataclass(frozen=True)
class Moment:
    """What is kept of one prediction."""

    stamp_ns: int
    vectors: Mapping[str, np.ndarray]
    """Unit-length embedding `(d,)` by stream."""
    answers: Mapping[str, tuple[str, float]]
    """Label and probability by head."""
    picture: bytes
    """JPEG of what its cameras and gels saw, empty where there are none."""
