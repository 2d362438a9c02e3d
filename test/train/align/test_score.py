"""Retrieval and the modality gap against embeddings whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.train.align.score import class_recall, modality_gap, prototypes, recall


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_recall_of_the_same_embeddings_is_whole_and_of_others_is_chance():
    rng = np.random.default_rng(0)
    here, there = unit(rng.normal(size=(2, 200, 64)).reshape(400, 64)).reshape(2, 200, 64)
    sessions = np.arange(200)
    assert recall(here, here, sessions, 1) == 1.0
    assert recall(here, there, sessions, 5) == pytest.approx(0.05, abs=0.03)


def test_recall_draws_one_image_of_a_session():
    points = unit(np.repeat(np.eye(4), 5, axis=0))  # five alike in each of four sessions
    assert recall(points, points, np.repeat(np.arange(4), 5), 1) == 1.0


def test_class_recall_counts_only_other_sessions():
    labels, sessions = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
    points = unit(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
    found = class_recall(points, points, labels, sessions, 1)
    # Class 0 has no image of another session; class 1 always finds its own.
    assert found["recall"] == 0.5
    assert found["chance"] == pytest.approx((0.0 + 1 / 3) / 2)


def test_the_gap_is_the_distance_of_means():
    first = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert modality_gap(first, -first) == pytest.approx(np.sqrt(2.0))


def test_prototypes_are_unit_means():
    points = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 5.0]])
    found = prototypes(points, np.array([0, 0, 1]), 2)
    np.testing.assert_allclose(found, [[0.5**0.5, 0.5**0.5], [0.0, 1.0]])
