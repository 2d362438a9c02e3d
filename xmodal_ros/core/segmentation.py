"""Classes of points: what stands for none, and how good an answer for each point is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

IGNORE = 255
"""Label of a point that has none, or none that is trained on."""


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Points by true and predicted class `(C, C + 1) int64`; the last column is no answer.

    Args:
        truth: `(N,)`, points that are `IGNORE` do not count.
        predicted: `(N,)`, any value that is no class where there is no answer.
        classes: How many there are.
    """
    counts = truth != IGNORE
    truth, predicted = truth[counts].astype(np.int64), predicted[counts].astype(np.int64)
    predicted = np.where((predicted >= 0) & (predicted < classes), predicted, classes)
    cells = np.bincount(truth * (classes + 1) + predicted, minlength=classes * (classes + 1))
    return cells.reshape(classes, classes + 1)


def segmentation(counts: np.ndarray, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Scores of a confusion.

    Args:
        counts: `(C, C + 1)`, from `confusion`, or a sum of such; of one point or more.
        classes: Names of the classes.

    Returns:
        `points`: `miou`, the mean over classes that occur in truth or prediction, `accuracy` and
        `count`; `iou`: of each of these classes.
    """
    hits = np.diagonal(counts)
    union = counts.sum(1) + counts[:, :-1].sum(0) - hits
    iou = {
        name: float(hit / whole)
        for name, hit, whole in zip(classes, hits, union, strict=True)
        if whole
    }
    total = int(counts.sum())
    points = {
        "miou": float(np.mean(list(iou.values()))),
        "accuracy": float(hits.sum() / total),
        "count": total,
    }
    return {"points": points, "iou": iou}
