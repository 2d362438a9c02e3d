"""Alignment, uniformity and recall against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xmodal_ros.train.pretrain.measures import measure


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def potential(x):
    pairs = [np.exp(-2 * np.square(a - b).sum()) for i, a in enumerate(x) for b in x[:i]]
    return np.log(np.mean(pairs))


def test_agrees_with_numpy():
    rng = np.random.default_rng(0)
    camera = rng.normal(size=(12, 5))
    tactile = camera + 0.8 * rng.normal(size=(12, 5))
    found = measure(torch.from_numpy(camera), torch.from_numpy(tactile))
    c, t = unit(camera), unit(tactile)
    distance = np.square(c[:, None] - t[None]).sum(2)
    assert found == pytest.approx(
        {
            "alignment": np.diag(distance).mean(),
            "uniformity": (potential(c) + potential(t)) / 2,
            "recall_tactile": np.mean(distance.argmin(1) == np.arange(12)),
            "recall_camera": np.mean(distance.argmin(0) == np.arange(12)),
        },
        rel=1e-5,
    )
    assert found["recall_tactile"] != found["recall_camera"]


def test_the_best_and_the_worst():
    same = torch.ones(4, 3)
    assert measure(same, same)["alignment"] == 0
    assert measure(same, same)["uniformity"] == 0
    eye = torch.eye(4)
    assert measure(eye, eye)["recall_tactile"] == 1
    assert measure(eye, eye.roll(1, 0))["recall_camera"] == 0
