"""Temperatures and thresholds of heads, fitted on the validation part."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.special import softmax
from sklearn.metrics import roc_curve

from xmodal_ros.core.probabilities import winner
from xmodal_ros.eval.calibration import fit_temperature

LEAST_CHANGE = 0.05
"""Of a temperature's logarithm; less is not worth a line of the bundle."""


@dataclass(frozen=True)
class Calibration:
    """By head; one without validation labels is absent."""

    temperatures: dict[str, float]
    """Divide the logits."""
    thresholds: dict[str, float]
    """Of heads of two classes, the probability of the second from which it is decided for."""
    abstain_below: dict[str, float]
    """Confidence under which a head abstains."""

    def plain(self) -> dict[str, dict[str, float]]:
        """For JSON."""
        return asdict(self)


def calibrate(
    logits: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], kept_accuracy: float
) -> Calibration:
    """Fit all of it.

    Args:
        logits: `(N, C)` by head.
        labels: `(N,)` by head, -1 where there is none.
        kept_accuracy: Accuracy that answers shall have where a head does not abstain; 0 for
            heads that never do.
    """
    made = Calibration({}, {}, {})
    for head, values in logits.items():
        known = labels[head] >= 0
        if not known.any():
            continue
        found, true = values[known], labels[head][known]
        made.temperatures[head] = fit_temperature(found, true)
        said = softmax(found / made.temperatures[head], axis=1)
        if said.shape[1] == 2 and len(np.unique(true)) == 2:
            made.thresholds[head] = best_threshold(said[:, 1], true)
        threshold = made.thresholds.get(head, 0.5)
        chosen = np.array([winner(row, threshold) for row in said])
        confidence = said[np.arange(len(said)), chosen]
        made.abstain_below[head] = least_confidence(confidence, chosen == true, kept_accuracy)
    return made


def subset_temperatures(
    logits: Mapping[tuple[str, ...], Mapping[str, np.ndarray]],
    labels: Mapping[str, np.ndarray],
    present: Mapping[str, np.ndarray],
    temperatures: Mapping[str, float],
) -> dict[str, tuple[tuple[str, float], ...]]:
    """Temperatures for where some of the streams are missing, as `HeadCard.temperatures` has them.

    Args:
        logits: By subset of the streams, in the heads' order, and head `(N, C)`.
        labels: `(N,)` by head, -1 where there is none.
        present: By stream, where it is there, `(N,) bool`.
        temperatures: By head, of all streams together.

    Returns:
        By head, of the subsets whose own temperature differs by more than 5 %.
    """
    made: dict[str, list[tuple[str, float]]] = {head: [] for head in temperatures}
    for kept, found in logits.items():
        there = np.all([present[stream] for stream in kept], axis=0)
        for head, usual in temperatures.items():
            known = there & (labels[head] >= 0)
            if known.any():
                own = fit_temperature(found[head][known], labels[head][known])
                if abs(np.log(own / usual)) > LEAST_CHANGE:
                    made[head].append(("+".join(kept), round(own, 4)))
    return {head: tuple(rows) for head, rows in made.items()}


def some_of(streams: Sequence[str]) -> list[tuple[str, ...]]:
    """Every subset of the streams but none and all, small ones first."""
    return [
        kept for count in range(1, len(streams)) for kept in itertools.combinations(streams, count)
    ]


def best_threshold(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Threshold of the best balanced accuracy, from 0.01 to 0.99 (Youden's index).

    Args:
        probabilities: `(N,)` of the second class.
        labels: `(N,)`, 0 or 1, both of them among it.
    """
    false, true, at = roc_curve(labels, probabilities)
    return float(np.clip(at[np.argmax(true - false)], 0.01, 0.99))


def least_confidence(confidence: np.ndarray, right: np.ndarray, accuracy: float) -> float:
    """Least confidence from which on answers are right with an accuracy.

    Args:
        confidence: Of what was answered, which need not be the most probable. Shape: (N,).
        right: Whether it was right. Shape: (N,), bool.
        accuracy: Wanted, 0 to 1.

    Returns:
        0 where all answers together are that good, 1 where not even the surest one is.
    """
    order = np.argsort(-confidence, kind="stable")
    good = np.flatnonzero(np.cumsum(right[order]) / np.arange(1, len(right) + 1) >= accuracy)
    if not len(good):
        return 1.0
    return 0.0 if good[-1] == len(right) - 1 else float(confidence[order][good[-1]])
