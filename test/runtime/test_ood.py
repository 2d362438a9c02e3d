from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from xmodal_ros.runtime.ood import branch_feature, fit_branch, fit_statistics, look, ood_score


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


def test_a_look_is_level_spread_and_texture_of_every_eighth_row():
    image = np.random.default_rng(0).integers(0, 256, (24, 10, 3), dtype=np.uint8)
    rows = image[[0, 8, 16]].astype(np.float64)
    steps = rows[:, 1:] - rows[:, :-1]
    deviations = [np.log(x.std((0, 1)) + 1e-3) for x in (rows, steps)]
    wanted = np.concatenate([rows.mean((0, 1)), *deviations])
    np.testing.assert_allclose(look(image), wanted, rtol=1e-5)


def test_neighbours_in_a_window_are_those_in_time():
    window = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    steps = np.log(np.diff(window, axis=0).std(0) + 1e-3)
    np.testing.assert_allclose(look(window)[12:], steps, rtol=1e-5)
    assert np.isfinite(look(np.zeros((50, 6), np.float32))).all()


def test_a_branch_notices_what_its_embedding_does_not_show():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(400, 16))
    embeddings = (directions / np.linalg.norm(directions, axis=1)[:, None]).astype(np.float32)
    images = np.clip(rng.normal(120, 30, (400, 16, 16, 3)), 0, 255).astype(np.uint8)
    looks = np.stack([look(image) for image in images])
    known = fit_branch(branch_feature(embeddings, looks))
    usual = [ood_score(branch_feature(*x), known) for x in zip(embeddings, looks, strict=True)]
    assert np.mean(np.array(usual) > 1) == pytest.approx(0.01, abs=0.002)
    black = look(np.zeros((16, 16, 3), np.uint8))
    assert ood_score(branch_feature(embeddings[0], black), known) > 3
    far = np.eye(16, dtype=np.float32)[0]
    assert ood_score(branch_feature(3 * far, looks[0]), known) > 1


def test_a_branch_is_scored_by_the_distance_of_standardized_features(training):
    features, _ = training
    scaled = features * [1000, 1, 0.01, 1, 10]
    known, spread = fit_branch(scaled), scaled.std(0)
    unit = scaled / spread
    covariance = 0.95 * np.cov(unit.T, bias=True) + 0.05 * np.eye(5)
    wanted = [mahalanobis(x, unit.mean(0), np.linalg.inv(covariance)) for x in unit[:9]]
    found = [ood_score(x, known) * known["scale"][0] for x in scaled[:9]]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
