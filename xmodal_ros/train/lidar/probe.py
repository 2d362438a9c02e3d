"""A linear probe: how much of the classes of points a line through an encoder's features finds."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from xmodal_ros.nn.range_view import RangeViewEncoder
from xmodal_ros.train.lidar.examples import LabelledScans

PER_SCAN = 500
"""Pixels of each class that are drawn of a scan; all where it has fewer."""
ITERATIONS = 100
DECAY = 1e-4
"""Of the squared weights, for features of deviation 1."""


def fit_probe(
    encoder: RangeViewEncoder,
    classify: nn.Linear,
    scans: LabelledScans,
    train: np.ndarray,
    weights: Tensor,
    seed: int,
) -> int:
    """Logistic regression from features as they are, to where it no longer gets better.

    Args:
        encoder: In evaluation mode; stays as it is.
        classify: From its channels to classes; changed in place.
        scans: With labels.
        train: Those to learn from `(N,)`.
        weights: Of a pixel of each class. Shape: (C,).
        seed: Of the draw.

    Returns:
        Iterations of L-BFGS.
    """
    features, labels, shares = _features(encoder, scans, train, seed)
    mean, deviation = features.mean(0), features.std(0).clamp(min=1e-6)
    features = (features - mean) / deviation
    importance = weights[labels] * shares
    importance = importance / importance.sum()
    nn.init.zeros_(classify.weight)
    nn.init.zeros_(classify.bias)
    optimizer = torch.optim.LBFGS(
        classify.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        entropy = F.cross_entropy(classify(features), labels, reduction="none") @ importance
        found: Tensor = entropy + DECAY * classify.weight.square().sum()
        found.backward()
        return found

    optimizer.step(loss)
    with torch.no_grad():  # for features before they were standardized
        classify.weight.div_(deviation)
        classify.bias.sub_(classify.weight @ mean)
    return int(optimizer.state[classify.weight]["n_iter"])


def _features(
    encoder: RangeViewEncoder, scans: LabelledScans, train: np.ndarray, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Features `(P, C)` and labels `(P,)` of pixels, and how many each stands for `(P,)`."""
    rng = np.random.default_rng(seed)
    features, labels, shares = [], [], []
    for index in train:
        frame = scans.frame(index)
        truth = frame.labels.reshape(-1)
        here = [np.flatnonzero(truth == c) for c in range(len(scans.classes))]
        drawn = [rng.permutation(pixels)[:PER_SCAN] for pixels in here]
        kept = np.concatenate(drawn)
        with torch.inference_mode():
            maps = encoder.features(torch.from_numpy(frame.scan)[None])  # (1, H, W, C)
            features.append(maps[0].flatten(0, 1)[torch.from_numpy(kept)])
        labels.append(truth[kept].astype(np.int64))
        shares += [
            np.full(len(d), len(h) / max(len(d), 1)) for d, h in zip(drawn, here, strict=True)
        ]
    # Out of inference mode, so that gradients of the weights can be taken.
    return (
        torch.cat(features).clone(),
        torch.from_numpy(np.concatenate(labels)),
        torch.from_numpy(np.concatenate(shares).astype(np.float32)),
    )
