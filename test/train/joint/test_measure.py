"""Measures of a space, on spaces that are known."""

import numpy as np
import pytest

from xmodal_ros.train.joint.measure import (
    alignment,
    centroid_distance,
    chance_distance,
    effective_rank,
    recall,
    separability,
    zero_shot,
)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_gap_and_separability_of_modalities_apart_and_together() -> None:
    rng = np.random.default_rng(0)
    here, there = (unit(rng.normal(size=(200, 8))) for _ in range(2))
    apart = there + np.array([3.0] + [0.0] * 7)
    gap = centroid_distance({"a": here, "b": apart})
    assert gap["a, b"] == gap["mean"] == pytest.approx(3.0, abs=0.15)
    assert separability({"a": here, "b": apart})["accuracy"] > 0.95
    assert separability({"a": here, "b": there})["accuracy"] == pytest.approx(0.5, abs=0.12)


def test_effective_rank_counts_directions() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5000, 6))
    assert effective_rank(rows) == pytest.approx(6, abs=0.05)
    rows[:, 2:] = 0
    assert effective_rank(rows) == pytest.approx(2, abs=0.05)


def test_recall_counts_what_is_relevant_and_no_ties() -> None:
    queries = np.eye(12)
    relevant = np.eye(12, dtype=bool)
    assert recall(queries, queries, relevant)["recall@1"] == 1
    turned = np.roll(queries, 1, axis=0)
    assert recall(queries, turned, relevant)["recall@1"] == 0
    assert recall(queries, turned, np.roll(relevant, 1, axis=0).T)["recall@1"] == 1
    constant = recall(np.ones((12, 3)), np.ones((12, 3)), relevant)
    assert constant["recall@1"] == 0
    assert constant["chance@1"] == pytest.approx(1 / 12)


def test_alignment_and_zero_shot() -> None:
    rows = np.eye(4)
    assert alignment(rows, rows) == 0
    assert alignment(rows, -rows) == 4
    found = zero_shot(rows, rows, np.array([0, 1, 2, 0]))
    assert found == {"accuracy": 0.75, "balanced_accuracy": pytest.approx(5 / 6), "chance": 0.25}


def test_chance_distance_is_what_modalities_without_a_gap_show() -> None:
    rng = np.random.default_rng(0)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        """Twenty recordings, each with a place of its own."""
        places = rng.normal(size=(20, 16))
        return np.repeat(places, 30, 0) + rng.normal(0, 0.1, (600, 16)), np.repeat(range(20), 30)

    told, shown = [], []
    for _ in range(30):
        views = {name: draw() for name in ("a", "b")}
        embeddings = {name: rows for name, (rows, _) in views.items()}
        told.append(chance_distance(embeddings, {n: which for n, (_, which) in views.items()}))
        shown.append(centroid_distance(embeddings)["mean"])
    assert np.mean(told) == pytest.approx(np.mean(shown), rel=0.1)
    rows, _ = draw()
    assert np.isnan(chance_distance({"a": rows, "b": rows}, dict.fromkeys("ab", np.zeros(600))))
