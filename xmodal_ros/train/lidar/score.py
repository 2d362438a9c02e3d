"""How well points and pixels find each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import cdist

BEST = (1, 5, 10)
"""Of how many a retrieval is asked."""


def ranks(queries: np.ndarray, keys: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Keys that are nearer to each query than its own, others as near counted half `(N,)`.

    Args:
        queries: `(N, d)`.
        keys: `(M, d)`.
        own: Which key is that of each query `(N,) int64`.
    """
    away = cdist(queries, keys)
    right = away[np.arange(len(queries)), own][:, None]
    nearer: np.ndarray = (away < right).sum(1) + ((away == right).sum(1) - 1) / 2
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
