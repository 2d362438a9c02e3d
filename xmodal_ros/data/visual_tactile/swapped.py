"""Finds pairs whose camera and gel image are exchanged, where that can be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import CAMERA, Example, Problem
from xmodal_ros.data.visual_tactile.look import Look

FEWEST = 10
"""Pairs from which the look of a stream can be judged."""
EXCHANGED = -0.5
"""Score below which a pair is exchanged; 1 is a pair as it should be, -1 an exchanged one."""
TOLD, MOST = 0.2, 0.9
"""Most pairs have to score higher than that for any to be judged."""
FOLDS = 5
FITTED = 2000
"""Pairs to fit at most."""
RIDGE = 1.0
"""Weight of the penalty; inputs are about 0.5."""


class Pair(NamedTuple):
    """Images of camera and gel that belong together."""

    example: Example
    camera: Source
    gel: Source


def find_swapped(
    examples: Sequence[Example], looks: Mapping[Source, Look]
) -> tuple[list[Problem], list[str]]:
    """Exchanged pairs, and for which streams it cannot be told.

    Two images are exchanged if each has the size that is usual for the other's stream. Where both
    streams have one size, ridge regression tells gels from scenes by thumbnails; it is fitted on
    other groups than those it judges. It cannot tell where it is unsure of many pairs.
    """
    problems: list[Problem] = []
    notes = []
    for stream in sorted({s for e in examples for s in e.streams if s != CAMERA}):
        pairs = [
            Pair(example, camera, gel)
            for example in examples
            if stream in example.streams and CAMERA in example.streams
            for camera, gel in zip(example.streams[CAMERA], example.streams[stream], strict=False)
            if not looks[camera].error and not looks[gel].error
        ]
        if not pairs:
            continue
        seen = _commonest(looks[pair.camera].shape for pair in pairs)
        felt = _commonest(looks[pair.gel].shape for pair in pairs)
        if seen != felt:
            found = [
                pair
                for pair in pairs
                if looks[pair.camera].shape == felt and looks[pair.gel].shape == seen
            ]
        else:
            found_or_none = _by_look(pairs, looks)
            if found_or_none is None:
                notes.append(
                    f"whether images of {CAMERA} and {stream} are exchanged cannot be told"
                )
            found = found_or_none or []
        problems += [
            Problem("swapped", example.name, f"{camera} and {gel} look exchanged")
            for example, camera, gel in found
        ]
    return problems, notes


def _by_look(pairs: Sequence[Pair], looks: Mapping[Source, Look]) -> list[Pair] | None:
    """Exchanged pairs by their look, None where gels and scenes do not differ clearly."""
    names = sorted({pair.example.group for pair in pairs})
    if len(pairs) < FEWEST or len(names) < 2:
        return None
    fold_of = {name: k % FOLDS for k, name in enumerate(names)}
    folds = np.array([fold_of[pair.example.group] for pair in pairs])
    seen = np.stack([looks[pair.camera].thumbnail for pair in pairs])
    felt = np.stack([looks[pair.gel].thumbnail for pair in pairs])
    scores = np.zeros(len(pairs))
    for fold in np.unique(folds):
        others = np.flatnonzero(folds != fold)
        others = others[:: -(-len(others) // FITTED)]
        weights = _fit(seen[others], felt[others])
        judged = folds == fold
        scores[judged] = (_features(seen[judged]) - _features(felt[judged])) @ weights / 2
    if (scores > TOLD).mean() < MOST:
        return None
    return [pair for pair, score in zip(pairs, scores, strict=True) if score < EXCHANGED]


def _fit(seen: np.ndarray, felt: np.ndarray) -> np.ndarray:
    """Weights `(F,)` that make 1 of scenes' features and -1 of gels'."""
    x = np.concatenate([_features(seen), _features(felt)])
    y = np.repeat([1.0, -1.0], len(seen))
    weights: np.ndarray = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    return weights


def _features(thumbnails: np.ndarray) -> np.ndarray:
    """Pixels and their distances from grey, `(N, 8, 8, 3) -> (N, F)`."""
    x = thumbnails.reshape(len(thumbnails), -1) / 255.0 - 0.5
    return np.hstack([x, 2 * np.abs(x), np.ones((len(x), 1))])


def _commonest(shapes: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return Counter(shapes).most_common(1)[0][0]
