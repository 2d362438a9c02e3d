"""Class probabilities of answers, and what is read off those of one."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities `(..., C) float32` of logits `(..., C)`."""
    powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def winner(probabilities: np.ndarray, threshold: float = 0.5) -> int:
    """The class decided for: the most probable one; of two, class 1 from `threshold` on.

    Args:
        probabilities: `(C,)`, sums to 1.
        threshold: On the probability of class 1, for two classes only.
    """
    if len(probabilities) == 2:
        return int(probabilities[1] >= threshold)
    return int(probabilities.argmax())


def entropy(probabilities: np.ndarray) -> float:
    """Entropy of `(C,)` probabilities in nats, 0 to ln(C)."""
    positive = probabilities[probabilities > 0].astype(np.float64)
    return float(-(positive * np.log(positive)).sum())
