"""Out-of-distribution score: distance of a feature from the training data, 1 = 99th percentile.

Mahalanobis distance to the nearest class mean with one covariance for all classes (Lee et al.
2018, arXiv 1807.03888).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

_SHRINKAGE = (
    0.05  # of the covariance towards a multiple of the identity: few samples, many dimensions
)


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


def ood_score(feature: Array, statistics: Mapping[str, Array]) -> float:
    """Score one feature.

    Args:
        feature: Shape: (d,).
        statistics: From `fit_statistics`.

    Returns:
        At least 0; 1 at the training data's 99th percentile.
    """
    differences = (statistics["means"] - feature) @ statistics["whitening"].T  # (C, d)
    nearest = np.sqrt(np.square(differences).sum(1).min())
    return float(nearest / statistics["scale"][0])
