"""Scores of classes of points, against torchmetrics."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from xmodal_ros.core.segmentation import IGNORE, confusion, segmentation


@pytest.mark.parametrize("present", [(0, 1, 2, 3), (0, 2)])
def test_mean_iou_is_that_of_torchmetrics(present):
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.classification")
    index = partial(classification.MulticlassJaccardIndex, 4, ignore_index=IGNORE)
    rng = np.random.default_rng(0)
    truth = rng.choice([*present, IGNORE], 500)
    predicted = np.where(rng.random(500) < 0.5, rng.choice(present, 500), truth % IGNORE)
    found = segmentation(confusion(truth, predicted, 4), "abcd")
    given = torch.from_numpy(predicted), torch.from_numpy(truth)
    each = index(average="none")(*given).numpy()
    assert list(found["iou"]) == ["abcd"[k] for k in present]
    np.testing.assert_allclose(list(found["iou"].values()), each[list(present)], rtol=1e-6)
    mean = index(average="macro")(*given)
    assert found["points"]["miou"] == pytest.approx(float(mean), rel=1e-6)
    known = truth != IGNORE
    assert found["points"]["accuracy"] == (truth == predicted)[known].mean()
    assert found["points"]["count"] == known.sum()


def test_a_point_without_an_answer_is_missed():
    truth = np.array([0, 0, 1, 1])
    found = segmentation(confusion(truth, np.array([0, -1, 1, 2]), 2), ("car", "road"))
    assert found["iou"] == {"car": 0.5, "road": 0.5}
    assert found["points"]["accuracy"] == 0.5
