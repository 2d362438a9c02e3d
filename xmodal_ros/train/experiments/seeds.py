"""What the seeds of a variant say together, and whether a variant differs from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import softmax

from xmodal_ros.data.visual_tactile.example import VALIDATION
from xmodal_ros.train.experiments.asking import Answers
from xmodal_ros.train.touch.calibrate import calibrate
from xmodal_ros.train.touch.score import scores

DRAWS = 2000
SMALLEST = 1e-12
"""Least probability, so that its logarithm is finite."""

BySeed = Sequence[Mapping[str, Answers]]
"""Of each seed's network, the answers by part."""


def score_together(found: BySeed) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by part and head of the seeds' mean probabilities, which are calibrated again.

    A deep ensemble (Lakshminarayanan et al. 2017, arXiv 1612.01474); pooled first, calibrated
    then (Rahaman & Thiery 2021, arXiv 2007.08792).

    Args:
        found: With the validation part, that temperatures are fitted on.
    """
    pooled = {part: _pooled([one[part] for one in found]) for part in found[0]}
    fitted = calibrate(pooled[VALIDATION], found[0][VALIDATION].labels, 0.0)
    return {
        part: scores(logits, found[0][part].labels, fitted.temperatures)
        for part, logits in pooled.items()
    }


def compare(first: BySeed, other: BySeed) -> dict[str, dict[str, dict[str, float]]]:
    """By part and head, how much more often `other` is right than `first`.

    Returns:
        The `mean` over seeds and examples that both have, and `low` and `high`: from one to the
        other are 95 % of what the same seeds give on examples of groups that are drawn anew, with
        replacement (a bootstrap over groups, since examples of one depend on each other).
    """
    return {
        part: {
            head: _difference(*_paired(first, other, part, head))
            for head in first[0][part].logits.keys() & other[0][part].logits.keys()
        }
        for part in first[0].keys() & other[0].keys()
    }


def _pooled(found: Sequence[Answers]) -> dict[str, np.ndarray]:
    """Logarithms of mean probabilities `(N, C)` by head."""
    return {
        head: np.log(np.mean([softmax(x.logits[head], axis=1) for x in found], axis=0) + SMALLEST)
        for head in found[0].logits
    }


def _paired(first: BySeed, other: BySeed, part: str, head: str) -> tuple[np.ndarray, np.ndarray]:
    """How much more often each labelled example `(N,)` is answered right, and its group `(N,)`."""
    was, then = _right(first, part, head), _right(other, part, head)
    both = sorted(was.keys() & then.keys())
    groups = dict(zip(first[0][part].names, first[0][part].groups, strict=True))
    more = np.array([then[name] - was[name] for name in both])
    return more, np.array([groups[name] for name in both])


def _right(found: BySeed, part: str, head: str) -> dict[str, float]:
    """Share of the seeds that are right, by name of the labelled examples."""
    labels = found[0][part].labels[head]
    right = np.mean([one[part].logits[head].argmax(1) == labels for one in found], axis=0)
    names = found[0][part].names
    return {names[k]: float(right[k]) for k in np.flatnonzero(labels >= 0)}


def _difference(more: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    _, group = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(group, more), np.bincount(group)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(sums), (DRAWS, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), (0.025, 0.975))
    return {"mean": float(more.mean()), "low": float(low), "high": float(high)}
