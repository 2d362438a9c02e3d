"""Scores of retrieval, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.train.lidar.score import ranks, retrieval


def test_ranks_count_what_is_nearer():
    rng = np.random.default_rng(0)
    queries, keys, own = (
        rng.normal(size=(40, 5)),
        rng.normal(size=(9, 5)),
        rng.integers(9, size=40),
    )
    expected = [
        sum(np.linalg.norm(q - other) < np.linalg.norm(q - keys[k]) for other in keys)
        for q, k in zip(queries, own, strict=True)
    ]
    np.testing.assert_array_equal(ranks(queries, keys, own), expected)


def test_retrieval_of_features_that_tell_nothing_is_chance():
    same = np.ones((50, 1))
    found = retrieval([ranks(same, same, np.arange(50))], [50])
    assert found["percentile"] == 0.5
    assert found["recall@10"] == 0.0  # all are as near: none is among the nearest
    assert found["chance@10"] == pytest.approx(0.2)


def test_retrieval_counts_queries_of_all_sets():
    found = retrieval([np.array([0.0, 2.0]), np.array([4.0, 4.0, 0.0, 0.0, 0.0])], [3, 5])
    assert found["recall@1"] == pytest.approx(4 / 7)
    assert found["recall@5"] == 1.0
    assert found["percentile"] == pytest.approx((0 + 1 + 1 + 1) / 7)
