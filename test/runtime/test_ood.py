from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from xmodal_ros.runtime.ood import fit_statistics, ood_score


@pytest.fixture
def training():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    features = rng.normal(size=(600, 5)) @ rng.normal(size=(5, 5)) + 8 * np.eye(3, 5)[labels]
    return features.astype(np.float32), labels


def test_one_percent_of_the_training_data_is_beyond_1(training):
    features, labels = training
    statistics = fit_statistics(features, labels)
    scores = [ood_score(f, statistics) for f in features]
    assert np.mean(np.array(scores) > 1) == pytest.approx(0.01, abs=0.002)
    assert ood_score(features[0] + 50, statistics) > 3


def test_agrees_with_scipys_mahalanobis_distance(training):
    features, labels = training
    statistics = fit_statistics(features, labels)
    means = np.stack([features[labels == c].mean(0) for c in range(3)])
    covariance = np.cov((features - means[labels]).T, bias=True)
    covariance = 0.95 * covariance + 0.05 * np.trace(covariance) / 5 * np.eye(5)
    point = features[7] + 1
    nearest = min(mahalanobis(point, m, np.linalg.inv(covariance)) for m in means)
    score = ood_score(point, statistics) * float(statistics["scale"][0])
    assert score == pytest.approx(nearest, rel=1e-4)
