"""How good probabilities are against true labels: accuracy, ranking, likelihood and calibration.

Everything with a common name comes from scikit-learn; the expected calibration error, which it
lacks, is here.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn import metrics as sk


@dataclass(frozen=True)
class Scores:
    """Scores of one head; NaN where one is not defined, such as AUC when only one class occurs."""

    count: int
    accuracy: float
    balanced_accuracy: float
    """Mean recall of the classes that occur."""
    auc: float
    """Area under the ROC curve; of several classes the mean of one-against-rest (`roc_auc`)."""
    nll: float
    """Mean negative log-likelihood, nats."""
    ece: float
    """Expected calibration error of the winning class, 15 equal bins."""
    ece_floor: float
    """What it would be on average were the probabilities exactly right (`calibration_floor`)."""
    brier: float
    """Mean squared distance to the one-hot label, summed over classes, 0 to 2."""
    confusion: np.ndarray
    """`(C, C) int64`, rows true, columns predicted."""

    def plain(self) -> dict[str, float]:
        """All but the confusion, by name, as results files have it."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k != "confusion"}


def score(
    probabilities: np.ndarray, labels: np.ndarray, predicted: np.ndarray | None = None
) -> Scores:
    """Score predictions against true classes.

    Args:
        probabilities: `(N, C)`, rows sum to 1.
        labels: `(N,)` true class indices.
        predicted: `(N,)` class indices that were decided for, where that is not the most probable
        class.

    Raises:
        ValueError: no labels, or shapes that do not fit.
    """
    labels = np.asarray(labels)
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or labels.shape != p.shape[:1] or not len(labels):
        raise ValueError(
            f"expected probabilities (N, C) and labels (N,), got {p.shape} and {labels.shape}"
        )
    classes = np.arange(p.shape[1])
    predicted = p.argmax(1) if predicted is None else np.asarray(predicted)
    one_hot = np.eye(p.shape[1])[labels]
    p = p / p.sum(
        1, keepdims=True
    )  # float32 rows sum to 1 within 1e-7 only; log_loss wants better
    with warnings.catch_warnings():  # a predicted class that never occurs is no news here
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        balanced = sk.balanced_accuracy_score(labels, predicted)
    return Scores(
        count=len(labels),
        accuracy=float(sk.accuracy_score(labels, predicted)),
        balanced_accuracy=float(balanced),
        auc=roc_auc(p, labels),
        nll=float(sk.log_loss(labels, p, labels=classes)),
        ece=expected_calibration_error(p, labels),
        ece_floor=calibration_floor(p),
        brier=float(((p - one_hot) ** 2).sum(1).mean()),
        confusion=sk.confusion_matrix(labels, predicted, labels=classes),
    )


def roc_auc(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """One-against-rest AUC averaged over the classes that occur; NaN when fewer than two do.

    Args:
        probabilities: `(N, C)`.
        labels: `(N,)`.
    """
    present = np.unique(labels)
    if len(present) < 2:
        return float("nan")
    if probabilities.shape[1] == 2:
        return float(sk.roc_auc_score(labels, probabilities[:, 1]))
    return float(np.mean([sk.roc_auc_score(labels == c, probabilities[:, c]) for c in present]))


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> float:
    """Mean distance between confidence and accuracy over equal bins of confidence.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3.

    Args:
        probabilities: `(N, C)`.
        labels: `(N,)`.
        bins: How many.
    """
    return _distance(probabilities.max(1), probabilities.argmax(1) == labels, bins)


def calibration_floor(probabilities: np.ndarray, bins: int = 15, draws: int = 200) -> float:
    """Expected calibration error of exactly right probabilities, which few examples keep above 0.

    The mean over draws in which each answer is right with its own confidence, independently of
    the others. Examples that depend on each other, such as those of one object, have a higher
    floor.

    Args:
        probabilities: `(N, C)`.
        bins: Of the confidence.
        draws: How many.
    """
    confidence = probabilities.max(1)
    rng = np.random.default_rng(0)
    drawn = (rng.random(len(confidence)) < confidence for _ in range(draws))
    return float(np.mean([_distance(confidence, correct, bins) for correct in drawn]))


def risk_by_coverage(trust: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Share of wrong answers among those that are trusted most, however many are kept.

    The risk-coverage curve of Geifman and El-Yaniv 2017, "Selective Classification for Deep Neural
    Networks"; its mean is the area under it (AURC), which for a trust that says nothing is the
    share of wrong answers among all.

    Args:
        trust: `(N,)`, higher for answers to be kept first; equal ones are kept together.
        wrong: `(N,) bool`.

    Returns:
        `(N,)`: of the first, of the first two, and so on.
    """
    _, group = np.unique(-np.asarray(trust, np.float64), return_inverse=True)
    mean = np.bincount(group, weights=wrong) / np.bincount(group)
    return np.asarray(np.cumsum(mean[np.sort(group)]) / np.arange(1, len(group) + 1))


def _distance(confidence: np.ndarray, correct: np.ndarray, bins: int) -> float:
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
