"""Temperature scaling: the one number that makes a head's confidence honest.

Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2. It never changes which
class wins.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Temperature that minimizes the negative log-likelihood on a validation split.

    Args:
        logits: `(N, C)` before the softmax.
        labels: `(N,)` class indices.

    Returns:
        A value from 0.05 to 20: divide logits by it. At a bound the split is too small or
        perfectly separated.

    Raises:
        ValueError: no labels, or shapes that do not fit.
    """
    logits, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"expected logits (N, C) and labels (N,), got {logits.shape} and {labels.shape}"
        )

    def nll(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    return float(np.exp(minimize_scalar(nll, bounds=bounds, method="bounded").x))
