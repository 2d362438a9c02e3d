"""Scores of classes and of retrieval, against torchmetrics and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from xmodal_ros.data.point_cloud import IGNORE
from xmodal_ros.train.lidar.score import confusion, ranks, retrieval, segmentation


@pytest.mark.parametrize("present", [(0, 1, 2, 3), (0, 2)])
def test_mean_iou_is_that_of_torchmetrics(present):
    rng = np.random.default_rng(0)
    truth = rng.choice([*present, IGNORE], 500)
    predicted = np.where(rng.random(500) < 0.5, rng.choice(present, 500), truth % IGNORE)
    found = segmentation(confusion(truth, predicted, 4), "abcd")
    given = torch.from_numpy(predicted), torch.from_numpy(truth)
    each = MulticlassJaccardIndex(4, average="none", ignore_index=IGNORE)(*given).numpy()
    assert list(found["iou"]) == ["abcd"[k] for k in present]
    np.testing.assert_allclose(list(found["iou"].values()), each[list(present)], rtol=1e-6)
    mean = MulticlassJaccardIndex(4, average="macro", ignore_index=IGNORE)(*given)
    assert found["points"]["miou"] == pytest.approx(float(mean), rel=1e-6)
    known = truth != IGNORE
    assert found["points"]["accuracy"] == (truth == predicted)[known].mean()
    assert found["points"]["count"] == known.sum()


def test_a_point_without_an_answer_is_missed():
    truth = np.array([0, 0, 1, 1])
    found = segmentation(confusion(truth, np.array([0, -1, 1, 2]), 2), ("car", "road"))
    assert found["iou"] == {"car": 0.5, "road": 0.5}
    assert found["points"]["accuracy"] == 0.5


def test_ranks_count_what_is_nearer():
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(2, 40, 5))
    queries, keys = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, keys))
    each = zip(queries, keys, strict=True)
    expected = [sum(q @ other > q @ own for other in keys) for q, own in each]
    np.testing.assert_array_equal(ranks(queries, keys), expected)


def test_retrieval_of_features_that_tell_nothing_is_chance():
    same = np.ones((50, 1))
    found = retrieval([ranks(same, same)], [50])
    assert found["percentile"] == 0.5
    assert found["recall@10"] == 0.0  # all are as near: none is among the nearest
    assert found["chance@10"] == pytest.approx(0.2)


def test_retrieval_counts_queries_of_all_sets():
    found = retrieval([np.array([0.0, 2.0]), np.array([4.0, 4.0, 0.0, 0.0, 0.0])], [3, 5])
    assert found["recall@1"] == pytest.approx(4 / 7)
    assert found["recall@5"] == 1.0
    assert found["percentile"] == pytest.approx((0 + 1 + 1 + 1) / 7)
