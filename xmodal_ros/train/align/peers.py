"""Simple and strong models of activity that an IMU encoder has to beat, on the same windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xmodal_ros.data.inertial.augment import remount
from xmodal_ros.nn.level import level

Predict = Callable[[np.ndarray], np.ndarray]
"""Probabilities `(N, C)` of windows `(N, T, 6)`."""
UNIT_S = 1.0
"""What is counted in a window is counted in its last second, which the label is of."""
SMALLEST = 1e-6
"""Least probability of a class: a forest says 0, whose logarithm is infinite."""


@dataclass(frozen=True)
class Peer:
    """A classifier, and what it reads of a window."""

    make: Callable[[int], Any]
    """From a seed."""
    features: Callable[[np.ndarray, float], np.ndarray]
    """Of windows `(N, T, 6)` at a rate in Hz."""
    leveled: bool = False
    """Whether windows are turned into the level frame first."""
    copies: int = 0
    """Copies of each training window that are turned uniformly in SO(3), beside it."""


def fit_peer(
    peer: Peer, windows: np.ndarray, labels: np.ndarray, classes: int, rate_hz: float, seed: int
) -> Predict:
    """Fit a peer.

    Args:
        peer: Which.
        windows: Shape: (N, T, 6) float32.
        labels: Shape: (N,).
        classes: How many there are.
        rate_hz: Of the windows.
        seed: Of everything random.
    """

    def see(some: np.ndarray) -> np.ndarray:
        if peer.leveled:
            some = level(torch.from_numpy(some), rate_hz).numpy()
        return peer.features(some, rate_hz)

    rng = np.random.default_rng(seed)
    turned = [remount(windows, rng, 1.0, 0.0) for _ in range(peer.copies)]
    model = peer.make(seed)
    with _threads_kept():
        model.fit(see(np.concatenate([windows, *turned])), np.tile(labels, 1 + peer.copies))

    def predict(some: np.ndarray) -> np.ndarray:
        made = np.full((len(some), classes), SMALLEST)
        with _threads_kept():
            said = model.predict_proba(see(some))
        made[:, model.classes_] = np.maximum(said, SMALLEST)
        return made / made.sum(1, keepdims=True)

    return predict


def majority(seed: int) -> Any:
    """The most frequent class, always."""
    return DummyClassifier(strategy="most_frequent", random_state=seed)


def forest(seed: int) -> Any:
    """Random forest of 300 trees, classes weighted alike."""
    return RandomForestClassifier(
        300, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=1
    )


def unit_features(windows: np.ndarray, rate_hz: float) -> np.ndarray:
    """Statistics and spectrum of the last second of windows `(N, samples, 6)` -> `(N, F)`."""
    last = windows[:, -round(UNIT_S * rate_hz) :]
    sizes = np.stack(
        [np.linalg.norm(last[..., :3], axis=-1), np.linalg.norm(last[..., 3:], axis=-1)], -1
    )
    x = np.concatenate([last, sizes], axis=-1)  # (N, S, 8)
    spectrum = np.abs(np.fft.rfft(x - x.mean(1, keepdims=True), axis=1))[:, 1:8]
    parts = [
        x.mean(1),
        x.std(1),
        x.min(1),
        x.max(1),
        np.median(x, axis=1),
        np.abs(np.diff(x, axis=1)).mean(1),
        x[:, -1] - x[:, 0],
        spectrum.reshape(len(x), -1),
    ]
    return np.concatenate(parts, axis=1)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """MiniRocket sets the number of threads for OpenMP as a whole, and so torch's as well."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def _minirocket(seed: int) -> Any:
    """MiniRocket features and a linear classifier (Dempster et al. 2021), classes weighted alike.

    Logistic regression rather than the paper's ridge: it has probabilities.
    """
    from aeon.transformations.collection.convolution_based import MiniRocket

    return make_pipeline(
        MiniRocket(n_kernels=KERNELS, random_state=seed, n_jobs=1),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=500, class_weight="balanced", random_state=seed),
    )


KERNELS = 2000


def _nothing(windows: np.ndarray, rate_hz: float) -> np.ndarray:
    return np.zeros((len(windows), 1))


def _statistics(windows: np.ndarray, rate_hz: float) -> np.ndarray:
    """Of the last second, and of a longer window as a whole."""
    last = unit_features(windows, rate_hz)
    samples = windows.shape[1]
    if samples <= UNIT_S * rate_hz:
        return last
    return np.concatenate([last, unit_features(windows, samples / UNIT_S)], axis=1)


def _series(windows: np.ndarray, rate_hz: float) -> np.ndarray:
    return windows.transpose(0, 2, 1)  # (N, T, C) -> (N, C, T), as aeon has it


PEERS: dict[str, Peer] = {
    "majority": Peer(majority, _nothing),
    "random forest": Peer(forest, _statistics),
    "random forest, level frame": Peer(forest, _statistics, leveled=True, copies=1),
    "MiniRocket": Peer(_minirocket, _series),
    "MiniRocket, rotations": Peer(_minirocket, _series, copies=1),
    "MiniRocket, level frame": Peer(_minirocket, _series, leveled=True, copies=1),
}
"""By name, as the table calls them."""
