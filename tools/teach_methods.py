"""Ways to tell a taught material from the known ones, for `teach_study.py`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from teach_networks import Made

from xmodal_ros.runtime.discriminant import SPREAD

Evidence = tuple[np.ndarray, np.ndarray]
"""For the taught class (N,), and for each of the bundle's (N, C)."""


def discriminant(made: Made, touches: list[np.ndarray], features: np.ndarray) -> Evidence:
    """Log likelihood, up to its weight, with one covariance: what `runtime.teach` does."""
    taught, known = plain(made, touches, features)
    return taught / (1 + SPREAD / len(touches)), known


def plain(made: Made, touches: list[np.ndarray], features: np.ndarray) -> Evidence:
    """The same, where the mean of the touches is taken for that of the class."""
    whitening = made["statistics"]["whitening"]
    mean = np.mean([t.mean(0) for t in touches], axis=0)
    means = np.vstack([mean, made["statistics"]["means"]]) @ whitening.T
    distances = np.square((features @ whitening.T)[:, None] - means).sum(-1)  # (N, 1 + C)
    return -distances[:, 0] / 2, -distances[:, 1:] / 2


def prototype(made: Made, touches: list[np.ndarray], features: np.ndarray) -> Evidence:
    """Cosine to the mean of the touches, and to the classes' means."""
    mean = np.mean([_turned(made, t.mean(0)) for t in touches], axis=0)
    cosine = _turned(made, features) @ _turned(made, made["statistics"]["means"]).T
    return _turned(made, features) @ mean / np.linalg.norm(mean), cosine


def nearest(made: Made, touches: list[np.ndarray], features: np.ndarray) -> Evidence:
    """Cosine to the nearest touch, and to the classes' means."""
    each = np.stack([_turned(made, t.mean(0)) for t in touches])
    cosine = _turned(made, features) @ _turned(made, made["statistics"]["means"]).T
    return (_turned(made, features) @ each.T).max(1), cosine


def ridge(made: Made, touches: list[np.ndarray], features: np.ndarray) -> Evidence:
    """Regression on the classes from their means and the touches, after whitening."""
    whitening, known = made["statistics"]["whitening"], made["statistics"]["means"]
    seen = np.vstack([known, np.stack([t.mean(0) for t in touches])])
    classes = np.eye(len(known) + 1)[np.minimum(np.arange(len(seen)), len(known))]
    centre = known.mean(0)
    x = (seen - centre) @ whitening.T
    gram = x @ x.T + np.trace(x @ x.T) / len(x) * np.eye(len(x))
    answers = (features - centre) @ whitening.T @ x.T @ np.linalg.solve(gram, classes)
    return answers[:, -1], answers[:, :-1]


METHODS: dict[
    str, tuple[Callable[[Made, list[np.ndarray], np.ndarray], Evidence], list[float]]
] = {
    "discriminant": (discriminant, [0.1, 0.2, 0.3, 0.4, 0.5]),
    "discriminant, mean taken as sure": (plain, [0.1, 0.2, 0.3, 0.4, 0.5]),
    "prototype": (prototype, [5, 10, 15, 20, 30]),
    "nearest touch": (nearest, [5, 10, 15, 20, 30]),
    "ridge": (ridge, [5, 10, 20, 40]),
}
"""Evidence, and the weights it may be given."""


def _turned(made: Made, features: np.ndarray) -> np.ndarray:
    """Unit length, seen from the middle of the classes."""
    turned = features - made["statistics"]["means"].mean(0)
    return np.asarray(turned / np.linalg.norm(turned, axis=-1, keepdims=True))
