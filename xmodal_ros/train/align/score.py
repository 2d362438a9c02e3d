"""How good an aligned encoder is: activities by the IMU alone, retrieval, and the modality gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import softmax

from xmodal_ros.eval.metrics import score
from xmodal_ros.train.align.encoder import Aligned

BATCH = 512
GALLERY = 100
"""Images among which an IMU window looks for its own."""
DRAWS = 50
"""Galleries that recall is averaged over."""


def classify(model: Aligned, windows: np.ndarray) -> np.ndarray:
    """Logits `(N, C) float32` of windows `(N, T, 6)`."""
    return _batched(lambda x: model(x)[0], windows)


def describe(model: Aligned, windows: np.ndarray) -> np.ndarray:
    """Class tokens `(N, width) float32` of windows `(N, T, 6)`."""
    return _batched(lambda x: model.imu.encoder(x)[1], windows)


def embed(model: Aligned, windows: np.ndarray) -> np.ndarray:
    """Unit-length embeddings `(N, dim) float32` of windows `(N, T, 6)`."""
    return _batched(lambda x: F.normalize(model(x)[1], dim=1), windows)


def score_logits(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, calibration and the like of logits `(N, C)`."""
    return score(softmax(logits, axis=1), labels).plain()


def predicted(model: Any, features: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities `(N, C)` of a fitted scikit-learn model; 0 of classes it never saw."""
    made = np.zeros((len(features), classes))
    made[:, model.classes_] = model.predict_proba(features)
    return made


def recall(
    imu: np.ndarray, vision: np.ndarray, sessions: np.ndarray, best: int, seed: int = 0
) -> float:
    """Share of windows whose own image is among the `best` nearest of `GALLERY` images.

    A gallery has one image of a session at most. Its chance is `best / GALLERY`.

    Args:
        imu: Unit-length embeddings `(N, d)`.
        vision: Of the same moments `(N, d)`.
        sessions: `(N,)`.
        best: How many count.
        seed: Of the galleries.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(sessions)
    size = min(GALLERY, len(names))
    found = []
    for _ in range(DRAWS):
        drawn = rng.choice(names, size, replace=False)
        rows = np.array([rng.choice(np.flatnonzero(sessions == name)) for name in drawn])
        scores = imu[rows] @ vision[rows].T  # (G, G)
        above = (scores > np.diag(scores)[:, None]).sum(1)
        found.append(float((above < best).mean()))
    return float(np.mean(found))


def class_recall(
    imu: np.ndarray, vision: np.ndarray, labels: np.ndarray, sessions: np.ndarray, best: int
) -> dict[str, float]:
    """Whether any of the `best` nearest images of other sessions shows the same activity.

    Args:
        imu: Unit-length embeddings `(N, d)`.
        vision: Of the same moments `(N, d)`.
        labels: `(N,)`, all known.
        sessions: `(N,)`.
        best: How many images are looked at.

    Returns:
        `recall`, the mean over activities, and `chance`, that of images drawn at random.
    """
    scores = imu @ vision.T
    scores[sessions[:, None] == sessions] = -np.inf
    nearest = np.argpartition(-scores, best, axis=1)[:, :best]
    hit = (labels[nearest] == labels[:, None]).any(1)
    others = sessions[:, None] != sessions
    same = (labels[:, None] == labels) & others
    share = same.sum(1) / np.maximum(others.sum(1), 1)
    random = 1 - (1 - share) ** best
    classes = np.unique(labels)
    return {
        "recall": float(np.mean([hit[labels == c].mean() for c in classes])),
        "chance": float(np.mean([random[labels == c].mean() for c in classes])),
    }


def modality_gap(imu: np.ndarray, vision: np.ndarray) -> float:
    """Distance between the means of both modalities' embeddings (arXiv 2203.02053)."""
    return float(np.linalg.norm(imu.mean(0) - vision.mean(0)))


def prototypes(embeddings: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Unit-length mean embedding of each class `(C, d)`."""
    means = np.stack([embeddings[labels == c].mean(0) for c in range(classes)])
    made: np.ndarray = means / np.linalg.norm(means, axis=1, keepdims=True)
    return made


def _batched(function: Callable[[torch.Tensor], torch.Tensor], windows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        parts = [
            function(torch.from_numpy(windows[k : k + BATCH])).numpy()
            for k in range(0, len(windows), BATCH)
        ]
    return np.concatenate(parts)
