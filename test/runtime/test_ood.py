from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from xmodal_ros.core.types import Modality
from xmodal_ros.runtime.ood import (
    branch_feature,
    fit_branch,
    fit_statistics,
    look,
    look_size,
    ood_score,
)


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


@pytest.mark.parametrize(("channels", "modality"), [(3, Modality.CAMERA), (4, Modality.LIDAR)])
def test_a_look_is_level_spread_texture_and_layout_of_every_eighth_row(channels, modality):
    rng = np.random.default_rng(0)
    image = rng.normal(9, 50, (48, 12, channels)).astype(np.float32)
    rows = image[::8].astype(np.float64)
    steps = rows[:, 1:] - rows[:, :-1]
    deviations = [np.log(x.std((0, 1)) + 1e-3) for x in (rows, steps)]
    blocks = rows.reshape(3, 2, 4, 3, channels).mean((1, 3)) - rows.mean((0, 1))
    wanted = np.concatenate([rows.mean((0, 1)), *deviations, blocks.ravel()])
    np.testing.assert_allclose(look(image), wanted, rtol=1e-4, atol=1e-4)
    assert look_size(modality) == len(wanted)


def test_a_look_tells_which_way_up_an_image_is_and_which_colours_are_exchanged():
    image = np.zeros((64, 80, 3), np.uint8)
    image[:32, :, 0] = image[32:, :, 2] = 200  # red above, blue below
    usual, turned, exchanged = (look(x)[9:] for x in (image, image[::-1, ::-1], image[..., ::-1]))
    np.testing.assert_allclose(turned, -usual, atol=1e-3)
    np.testing.assert_allclose(exchanged, -usual, atol=1e-3)
    assert np.abs(usual).max() == pytest.approx(100)


def test_neighbours_in_a_window_are_those_in_time():
    window = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    steps = np.log(np.diff(window, axis=0).std(0) + 1e-3)
    np.testing.assert_allclose(look(window)[12:], steps, rtol=1e-5)
    assert look_size(Modality.IMU) == len(look(window))
    assert np.isfinite(look(np.zeros((50, 6), np.float32))).all()


def test_a_branch_notices_what_its_embedding_does_not_show():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(400, 16))
    embeddings = (directions / np.linalg.norm(directions, axis=1)[:, None]).astype(np.float32)
    embeddings = embeddings[:, None]  # of one image each
    images = np.clip(rng.normal(120, 30, (400, 16, 16, 3)), 0, 255).astype(np.uint8)
    looks = np.stack([look(image) for image in images])
    known = fit_branch(branch_feature(embeddings, looks))
    usual = [ood_score(branch_feature(*x), known) for x in zip(embeddings, looks, strict=True)]
    assert np.mean(np.array(usual) > 1) == pytest.approx(0.01, abs=0.002)
    black = look(np.zeros((16, 16, 3), np.uint8))
    assert ood_score(branch_feature(embeddings[0], black), known) > 3
    far = np.eye(16, dtype=np.float32)[0]
    assert ood_score(branch_feature(3 * far[None], looks[0]), known) > 1


def test_a_clip_is_known_by_the_mean_of_its_embeddings():
    clip, seen = np.arange(8, dtype=np.float32).reshape(4, 2), np.ones(3, np.float32)
    np.testing.assert_array_equal(branch_feature(clip, seen), [3, 4, 1, 1, 1])
    both = branch_feature(np.stack([clip, 2 * clip]), np.stack([seen, seen]))
    np.testing.assert_array_equal(both, [[3, 4, 1, 1, 1], [6, 8, 1, 1, 1]])


def test_a_branch_is_scored_by_the_distance_of_standardized_features(training):
    features, _ = training
    scaled = features * [1000, 1, 0.01, 1, 10]
    known, spread = fit_branch(scaled), scaled.std(0)
    unit = scaled / spread
    covariance = 0.95 * np.cov(unit.T, bias=True) + 0.05 * np.eye(5)
    wanted = [mahalanobis(x, unit.mean(0), np.linalg.inv(covariance)) for x in unit[:9]]
    found = [ood_score(x, known) * known["scale"][0] for x in scaled[:9]]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
