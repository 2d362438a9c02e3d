"""How one space is: the gap between modalities, retrieval between them, and what text knows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

BEST = (1, 5, 10)
UNIFORM = 1000
"""Rows that uniformity is measured on: it takes memory by their square."""
SPLITS = 50
"""Random halves that `chance_distance` averages over."""


def centroid_distance(embeddings: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Distance of the modalities' means, by pair (arXiv 2203.02053), and `mean`, that of all."""
    means = {name: x.mean(0) for name, x in embeddings.items()}
    found = {
        f"{a}, {b}": float(np.linalg.norm(means[a] - means[b]))
        for a, b in itertools.combinations(means, 2)
    }
    return {**found, "mean": float(np.mean(list(found.values())))}


def chance_distance(
    embeddings: Mapping[str, np.ndarray], recordings: Mapping[str, np.ndarray]
) -> float:
    """About what `mean` of `centroid_distance` would be if modalities had no gap at all.

    The mean of a few recordings is not that of all: how far it is off is half the distance between
    the means of two random halves of the recordings, and two modalities' errors add up by their
    squares.

    Args:
        embeddings: By modality `(N, d)`.
        recordings: By modality, the recording of each row `(N,)`.

    Returns:
        The distance; NaN where a modality was seen in one recording only.
    """
    rng, errors = np.random.default_rng(0), []
    for name, rows in embeddings.items():
        known, place = np.unique(recordings[name], return_inverse=True)
        if len(known) < 2:
            return float("nan")
        halves = []
        for _ in range(SPLITS):
            first = (rng.permutation(len(known)) < len(known) / 2)[place]
            halves.append(np.linalg.norm(rows[first].mean(0) - rows[~first].mean(0)))
        errors.append(np.mean(halves) / 2)
    pairs = itertools.combinations(errors, 2)
    return float(np.mean([np.hypot(a, b) for a, b in pairs]))


def separability(embeddings: Mapping[str, np.ndarray]) -> dict[str, float]:
    """How well a linear classifier tells the modalities apart, on the half it was not fitted on.

    Returns:
        Balanced `accuracy`, and `chance`.
    """
    rows = np.concatenate(list(embeddings.values()))
    labels = np.repeat(np.arange(len(embeddings)), [len(x) for x in embeddings.values()])
    half = np.concatenate([np.arange(len(x)) % 2 == 0 for x in embeddings.values()])
    probe = LogisticRegression(max_iter=500).fit(rows[half], labels[half])
    said = probe.predict(rows[~half])
    found = float(balanced_accuracy_score(labels[~half], said))
    return {"accuracy": found, "chance": 1 / len(embeddings)}


def effective_rank(rows: np.ndarray) -> float:
    """Exponential of the entropy of the shares of singular values (Roy & Vetterli, 2007)."""
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    shares = values / values.sum()
    return float(np.exp(-(shares * np.log(np.maximum(shares, 1e-12))).sum()))


def uniformity(rows: np.ndarray) -> float:
    """Logarithm of the mean Gaussian potential (arXiv 2005.10242, t 2), better when lower."""
    rows = rows[:UNIFORM]
    squared = 2 - 2 * rows @ rows.T
    above = squared[np.triu_indices(len(rows), 1)]
    return float(np.log(np.exp(-2 * above).mean()))


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """Mean squared distance of partners, better when lower."""
    return float(np.square(first - second).sum(1).mean())


def recall(queries: np.ndarray, keys: np.ndarray, relevant: np.ndarray) -> dict[str, float]:
    """How often something relevant is among the nearest.

    Args:
        queries: Unit length `(N, d)`.
        keys: Unit length `(M, d)`.
        relevant: `(N, M) bool`, something in each row.

    Returns:
        `recall@k`, and `chance@k` of keys in random order.
    """
    scores = queries @ keys.T
    best = np.where(relevant, scores, -np.inf).max(1)
    # Keys that are as near as the nearest relevant one count half: equal embeddings are no hit.
    above = (scores > best[:, None]).sum(1) + ((scores == best[:, None]) & ~relevant).sum(1) / 2
    share = relevant.mean(1)
    return {f"recall@{k}": float((above < k).mean()) for k in BEST} | {
        f"chance@{k}": float((1 - (1 - share) ** k).mean()) for k in BEST
    }


def zero_shot(embeddings: np.ndarray, prompts: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Classes by the nearest text.

    Args:
        embeddings: `(N, d)`.
        prompts: Mean text of each class, unit length `(C, d)`.
        labels: `(N,)`, class indices.

    Returns:
        `accuracy`, `balanced_accuracy`, and `chance`.
    """
    right = (embeddings @ prompts.T).argmax(1) == labels
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([right[labels == c].mean() for c in set(labels)])),
        "chance": 1 / len(prompts),
    }


def gaps(embeddings: Mapping[str, np.ndarray], common: Sequence[str] = ()) -> dict[str, Any]:
    """All measures of how modalities lie in the space, none of which looks at partners.

    Args:
        embeddings: By modality, unit length `(N, d)`.
        common: Modalities that are left out of the rank, such as text with its few captions.
    """
    sensed = [x for name, x in embeddings.items() if name not in common]
    return {
        "centroid_distance": centroid_distance(embeddings),
        "separability": separability(embeddings),
        "uniformity": float(np.mean([uniformity(x) for x in sensed])),
        "effective_rank": effective_rank(np.concatenate(sensed)),
    }
