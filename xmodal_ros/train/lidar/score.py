"""How good classes of points are, and how well points and pixels find each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xmodal_ros.data.point_cloud import IGNORE

BEST = (1, 5, 10)
"""Of how many a retrieval is asked."""


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
        counts: `(C, C + 1)`, from `confusion`, or a sum of such.
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


def ranks(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Keys that are nearer to each query than its own, those as near counted half `(N,)`.

    Args:
        queries: Unit length `(N, d)`.
        keys: Of the same instances `(N, d)`.
    """
    scores = queries @ keys.T
    own = np.diagonal(scores)[:, None]
    nearer: np.ndarray = (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
    return nearer


def retrieval(found: Sequence[np.ndarray], sizes: Sequence[int]) -> dict[str, float]:
    """Scores of ranks, each query counting the same.

    Args:
        found: Of `ranks`, one array for each set of candidates.
        sizes: Of these sets, 2 or more.

    Returns:
        `recall@k`, the share with fewer than k nearer keys, and `chance@k`; `percentile`, the mean
        share of the other keys that are nearer: 0.5 by chance, 0 is best.
    """
    together = np.concatenate(found)
    shares = [ranked / (size - 1) for ranked, size in zip(found, sizes, strict=True)]
    many = np.repeat(sizes, [len(ranked) for ranked in found])
    recalls = {f"recall@{k}": float((together < k).mean()) for k in BEST}
    chances = {f"chance@{k}": float(np.minimum(k / many, 1).mean()) for k in BEST}
    percentile = float(np.concatenate(shares).mean())
    return {**recalls, **chances, "percentile": percentile, "count": len(together)}
