"""Moments: what frozen encoders make of every stream at a time, and what is true then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.train.pretrain.files import require_room


@dataclass(frozen=True, eq=False)
class Moments:
    """N moments; rows of all arrays belong together."""

    names: np.ndarray
    """`(N,)` of "recording@stamp"."""
    groups: np.ndarray
    """`(N,)` of what must not be in two parts."""
    parts: np.ndarray
    """`(N,)` of "train", "validation" or "test"."""
    instances: np.ndarray
    """`(N,) int64`, numbers of instances, ascending."""
    facts: Mapping[str, np.ndarray]
    """By head `(N,)` of text, empty where nothing is known."""
    present: Mapping[str, np.ndarray]
    """By stream `(N,) bool`."""
    sensed_ns: Mapping[str, np.ndarray]
    """By stream `(N,) int64`, stamp of the newest message; a slow sensor's is in several."""
    tokens: Mapping[str, np.ndarray]
    """By stream `(N, [steps,] tokens, width) float16`, zeros where it is absent."""
    pooled: Mapping[str, np.ndarray]
    """By stream `(N, [steps,] width) float32`."""
    looks: Mapping[str, np.ndarray]
    """By stream `(N, l) float32`; see `runtime.ood`."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def recordings(self) -> np.ndarray:
        """`(N,)` of names."""
        return np.array([name.rpartition("@")[0] for name in self.names])

    def indices(self, part: str) -> np.ndarray:
        """Of the moments of a part `(M,) int64`."""
        return np.flatnonzero(self.parts == part)

    def begun(self) -> np.ndarray:
        """Whether each stream of a moment's recording has been there by then `(N,) bool`.

        Before, a stream is silent because the recording has just begun, when robots are idle:
        what learns from such moments takes a dead sensor for idleness.
        """
        made = np.zeros(len(self), bool)
        names, recording = np.unique(self.recordings, return_inverse=True)
        for k in range(len(names)):
            rows = np.flatnonzero(recording == k)
            seen = [rows[there[rows]] for there in self.present.values()]
            made[rows] = rows >= max((found[0] for found in seen if len(found)), default=0)
        return made

    def newest(self, stream: str) -> np.ndarray:
        """Pooled features of single images, scans and windows, or of a clip's newest image."""
        pooled = self.pooled[stream]
        return pooled[:, -1] if pooled.ndim == 3 else pooled


def keep(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, whole or not at all.

    Raises:
        DataError: there is no room.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    require_room(path.parent, sum(array.nbytes for array in arrays.values()))
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)


def spread(rows: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Rows of the moments that have a stream, zeros for the others.

    Args:
        rows: Of those that have it.
        present: `(N,) bool`.
    """
    made = np.zeros((len(present), *rows.shape[1:]), rows.dtype)
    made[present] = rows
    return made


def together(several: Sequence[Moments]) -> Moments:
    """Moments of several data sets as one; of a stream that one does not have they are absent."""
    sizes = [len(one) for one in several]
    before = np.cumsum([0, *(int(one.instances.max()) + 1 for one in several)])

    def rows(name: str, key: str, missing: Any) -> np.ndarray:
        found = [getattr(one, name).get(key) for one in several]
        known = next(x for x in found if x is not None)
        empty = [np.full((n, *known.shape[1:]), missing, known.dtype) for n in sizes]
        return np.concatenate([e if x is None else x for x, e in zip(found, empty, strict=True)])

    def by_key(name: str, missing: Any = 0) -> dict[str, np.ndarray]:
        keys = dict.fromkeys(key for one in several for key in getattr(one, name))
        return {key: rows(name, key, missing) for key in keys}

    return Moments(
        names=np.concatenate([one.names for one in several]),
        groups=np.concatenate([one.groups for one in several]),
        parts=np.concatenate([one.parts for one in several]),
        instances=np.concatenate(
            [one.instances + b for one, b in zip(several, before, strict=False)]
        ),
        facts=by_key("facts", ""),
        present=by_key("present"),
        sensed_ns=by_key("sensed_ns"),
        tokens=by_key("tokens"),
        pooled=by_key("pooled"),
        looks=by_key("looks"),
    )
