"""Which samples of a track are used, and the gaps between them."""

from __future__ import annotations

import itertools
from bisect import bisect_left

import numpy as np

from xmodal_ros.core.settings import StreamSettings

LONGEST_GAP_S = 2 * StreamSettings.tolerance_s
"""Longest time without a sample that is interpolated: a node's, unless it is told otherwise."""


def increasing(times_ns: np.ndarray) -> np.ndarray:
    """Places of the most samples whose stamps increase, `(K,) int64`; others are not used.

    Of samples that share a stamp the first one is taken. A single stamp that is far off, to either
    side, costs its own sample alone.
    """
    kept = np.flatnonzero(np.diff(times_ns, prepend=times_ns[0] - 1) != 0)
    if (np.diff(times_ns[kept]) > 0).all():
        return kept
    # Longest increasing subsequence: of each length, the earliest stamp that ends one.
    ends: list[int] = []
    places: list[int] = []
    before = {}
    for place, time_ns in zip(kept.tolist(), times_ns[kept].tolist(), strict=True):
        length = bisect_left(ends, time_ns)
        if length < len(ends) and ends[length] == time_ns:
            continue
        before[place] = places[length - 1] if length else -1
        ends[length : length + 1], places[length : length + 1] = [time_ns], [place]
    chain = [places[-1]]
    while before[chain[-1]] >= 0:
        chain.append(before[chain[-1]])
    return np.array(chain[::-1])


def pieces(times_ns: np.ndarray, longest_s: float) -> list[np.ndarray]:
    """Places `(K,) int64` of the samples that are used, piece by piece between gaps.

    Args:
        times_ns: `(N,) int64`.
        longest_s: What is still no gap.
    """
    kept = increasing(times_ns)
    return np.split(kept, np.flatnonzero(np.diff(times_ns[kept]) > longest_s * 1e9) + 1)


def gaps(times_ns: np.ndarray, longest_s: float) -> np.ndarray:
    """Times without a sample that are too long: `(G, 2) int64`, last stamp before and first after.

    Args:
        times_ns: `(N,)`, in any order.
        longest_s: What is still no gap.
    """
    found = pieces(times_ns, longest_s)
    spans = [(times_ns[a[-1]], times_ns[b[0]]) for a, b in itertools.pairwise(found)]
    return np.array(spans, np.int64).reshape(-1, 2)
