"""The linear probe against scikit-learn's logistic regression."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from xmodal_ros.data.point_cloud import IGNORE
from xmodal_ros.train.lidar import probe
from xmodal_ros.train.lidar.frames import Frame

CLASSES, CHANNELS, SIZE = 3, 4, (8, 16)


class Channels(nn.Module):
    """An encoder whose features are what is in the range image, of unlike scales."""

    def features(self, scans: torch.Tensor) -> torch.Tensor:
        return scans * torch.tensor([1.0, 10.0, 0.1, 3.0]) + 5.0


class Scans:
    """Classes that can be told from the features, but for some."""

    classes = ("a", "b", "c")

    def frame(self, index: int) -> Frame:
        rng = np.random.default_rng(index)
        labels = rng.choice(CLASSES, SIZE, p=(0.8, 0.15, 0.05)).astype(np.uint8)
        scan = rng.normal(size=(*SIZE, CHANNELS)) + np.eye(CLASSES, CHANNELS)[labels] * 1.5
        labels[0, :3] = IGNORE
        return Frame(scan.astype(np.float32), labels, np.arange(0), np.arange(0))


def fitted(weights: torch.Tensor) -> nn.Linear:
    classify = nn.Linear(CHANNELS, CLASSES)
    train = np.arange(4)
    probe.fit_probe(Channels(), classify, Scans(), train, weights, seed=0)
    return classify


def test_agrees_with_logistic_regression_on_standardized_features() -> None:
    weights = torch.tensor([0.5, 2.0, 4.0])
    classify = fitted(weights)
    frames = [Scans().frame(k) for k in range(4)]
    x = Channels().features(torch.from_numpy(np.stack([f.scan for f in frames])))
    x, y = x.flatten(0, 2).numpy(), np.stack([f.labels for f in frames]).ravel()
    x, y = x[y != IGNORE], y[y != IGNORE]
    importance = weights.numpy()[y] / weights.numpy()[y].sum()
    standard = (x - x.mean(0)) / x.std(0, ddof=1)
    oracle = LogisticRegression(C=1 / (2 * probe.DECAY), tol=1e-8, max_iter=1000)
    expected = oracle.fit(standard, y, sample_weight=importance).predict_proba(standard)
    with torch.no_grad():
        found = classify(torch.from_numpy(x)).softmax(1).numpy()
    np.testing.assert_allclose(found, expected, atol=5e-3)
    assert (found.argmax(1) == y).mean() > 0.6


def test_few_pixels_of_a_common_class_stand_for_all_of_them(monkeypatch) -> None:
    every = fitted(torch.ones(CLASSES))
    monkeypatch.setattr(probe, "PER_SCAN", 30)
    some = fitted(torch.ones(CLASSES))
    x = Channels().features(torch.from_numpy(Scans().frame(9).scan)).flatten(0, 1)
    with torch.no_grad():
        shares = [c(x).softmax(1).mean(0) for c in (every, some)]
    torch.testing.assert_close(*shares, atol=0.05, rtol=0)
    assert not torch.equal(*shares)
