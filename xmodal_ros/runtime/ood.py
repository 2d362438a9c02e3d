"""Out-of-distribution scores: distances from the training data, 1 = 99th percentile.

Of what a head's classifier reads: Mahalanobis distance to the nearest class mean with one
covariance for all classes (Lee et al. 2018, arXiv 1807.03888). Of what a sensor gives: the same
distance, to one mean, of its embedding together with what its input looks like without a network.
The embedding is the mean of a clip's, in which the noise of one image counts less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from xmodal_ros.core.types import IMU_VALUES, Modality

Array = npt.NDArray[np.float32]

_SHRINKAGE = (
    0.05  # of the covariance towards a multiple of the identity: few samples, many dimensions
)
_ROWS = 8  # every so many are looked at: in every image of every prediction
_BLOCKS = (3, 4)  # rows and columns of an image; among many more, a covered lens is lost
_LIDAR_CHANNELS = 4  # of a range image
_FLOOR = 1e-3  # in the input's unit; there is no logarithm of 0


def fit_statistics(features: Array, labels: npt.NDArray[np.integer]) -> dict[str, Array]:
    """Describe the training data of one head.

    Args:
        features: What the head's classifier reads. Shape: (N, d).
        labels: Class ids. Shape: (N,).

    Returns:
        `means` (C, d), `whitening` (d, d) and `scale` (1,), the 99th percentile of the training
        distances.
    """
    features = features.astype(np.float64)
    classes = np.unique(labels)
    means = np.stack([features[labels == c].mean(0) for c in classes])
    centred = features - means[np.searchsorted(classes, labels)]
    covariance = centred.T @ centred / len(features)
    spread = np.trace(covariance) / len(covariance)
    covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * spread * np.eye(len(covariance))
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))  # W with |W x|² = xᵀ C⁻¹ x
    made = {"means": means, "whitening": whitening, "scale": np.ones(1)}
    statistics = {name: value.astype(np.float32) for name, value in made.items()}
    distances = [ood_score(f, statistics) for f in features.astype(np.float32)]
    statistics["scale"] = np.array([np.percentile(distances, 99)], np.float32)
    return statistics


def fit_branch(features: Array) -> dict[str, Array]:
    """Describe the training data of one branch.

    Args:
        features: From `branch_feature`. Shape: (N, f).

    Returns:
        As `fit_statistics`, of one class.
    """
    # Grey levels and parts of a unit vector: without this, shrinking would hide the latter.
    spread = np.maximum(features.std(0), 1e-6)
    statistics = fit_statistics(features / spread, np.zeros(len(features), np.int64))
    return {
        "means": statistics["means"] * spread,
        "whitening": statistics["whitening"] / spread,
        "scale": statistics["scale"],
    }


def branch_feature(embeddings: Array, look: Array) -> Array:
    """What a branch's statistics are about.

    Args:
        embeddings: Of each image of a clip, else of the one input. Shape: (..., steps, d).
        look: Of the newest input. Shape: (..., l).

    Returns:
        Shape: (..., d + l).
    """
    return np.concatenate([embeddings.mean(-2), look], axis=-1, dtype=np.float32)


def look(data: npt.NDArray[Any]) -> Array:
    """What an input looks like, which a network may be made not to see.

    A gel's lighting does not reach its encoder (`nn/normalize.py`); a dark gel looks to it like
    one without contact.

    Args:
        data: What the network reads of one image (height, width, C), of every eighth row, or one
            window (samples, C).

    Returns:
        Of each channel the mean, and the logarithms of the deviation and of that of differences
        between neighbours in a row or in time; of an image also how much each of 3 x 4 blocks is
        above the mean, which tells from where a gel is lit, and in which colours. Shape: (3 C,) of
        a window, (15 C,) of an image.
    """
    rows = data[::_ROWS] if data.ndim == 3 else data[None]
    steps = cv2.subtract(rows[:, 1:], rows[:, :-1], dtype=cv2.CV_32F)
    mean, deviation = cv2.meanStdDev(rows)
    texture = cv2.meanStdDev(steps)[1]
    made = [mean, np.log(deviation + _FLOOR), np.log(texture + _FLOOR)]
    if data.ndim == 3:
        size = _BLOCKS[::-1]
        blocks = cv2.resize(rows.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        made.append((blocks - blocks.mean((0, 1))).reshape(-1, 1))
    return np.concatenate(made, dtype=np.float32)[:, 0]


def look_size(modality: Modality) -> int:
    """Length of what `look` gives of inputs of a modality."""
    if modality is Modality.IMU:
        return 3 * IMU_VALUES
    return (3 + math.prod(_BLOCKS)) * (_LIDAR_CHANNELS if modality is Modality.LIDAR else 3)


def ood_score(feature: Array, statistics: Mapping[str, Array]) -> float:
    """Score one feature.

    Args:
        feature: Shape: (d,).
        statistics: From `fit_statistics` or `fit_branch`.

    Returns:
        At least 0; 1 at the training data's 99th percentile.
    """
    differences = (statistics["means"] - feature) @ statistics["whitening"].T  # (C, d)
    nearest = np.sqrt(np.square(differences).sum(1).min())
    return float(nearest / statistics["scale"][0])
