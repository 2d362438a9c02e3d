"""What a task gives the loop: labels, groups and parts of examples, and batches of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

Inputs = Mapping[str, "Tensor | tuple[Tensor, Tensor]"]
"""By stream: raw input, or what a frozen encoder made of it, (tokens, pooled feature)."""


@dataclass(frozen=True)
class Index:
    """Labels and membership of examples."""

    targets: np.ndarray
    """Class probabilities `(N, C) float32`; one-hot where an example has one label."""
    groups: np.ndarray
    """What must not be on both sides of a split: object, person, texture `(N,) str`."""
    test: np.ndarray
    """`(N,) bool`, True in the test part."""
    scored: np.ndarray
    """`(N,) bool`, False for examples that only serve to train."""

    @property
    def labels(self) -> np.ndarray:
        """Most probable class `(N,) int64`."""
        return self.targets.argmax(1)


class Examples(Protocol):
    """Examples of one task."""

    index: Index

    def batch(self, chosen: np.ndarray, rng: np.random.Generator | None) -> Inputs:
        """Inputs of the chosen examples; augmented where a generator is given."""
        ...


def group_folds(index: Index, folds: int, seed: int) -> np.ndarray:
    """Assign the training groups to folds of like size and like shares of classes.

    Groups are taken largest first; each goes to the fold that it leaves most even.

    Returns:
        Fold of every example `(N,) int64`, -1 in the test part.
    """
    rng = np.random.default_rng(seed)
    train = np.flatnonzero(~index.test & index.scored)
    names = rng.permutation(np.unique(index.groups[train]))
    counts = {n: index.targets[train[index.groups[train] == n]].sum(0) for n in names}
    ideal = sum(counts.values()) / folds
    held = np.zeros((folds, index.targets.shape[1]))
    fold_of: dict[str, int] = {}
    for name in sorted(names, key=lambda n: -counts[n].sum()):
        cost = [
            np.square((held[k] + counts[name]) / ideal).sum() - np.square(held[k] / ideal).sum()
            for k in range(folds)
        ]
        fold_of[name] = int(np.argmin(cost))
        held[fold_of[name]] += counts[name]
    assigned = [
        -1 if t else fold_of.get(g, -1) for g, t in zip(index.groups, index.test, strict=True)
    ]
    return np.array(assigned, np.int64)
