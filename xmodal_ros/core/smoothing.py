"""Activities over time: filtered probabilities, and a current label that does not flicker.

What comes out follows from stamps and probabilities alone, so that a recording gives offline what
it gives live. Elapsed time, not the number of answers, decides how much counts: the rate of the
answers can be changed without tuning anything again.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.probabilities import entropy, winner
from xmodal_ros.core.types import HeadPrediction, Order, OverTime, Prediction

TASK = "activity"
"""Heads of this task are followed over time."""
LEAST = 1e-6
"""Least likelihood of a class, so that no single answer excludes one for ever."""
TERMS = 16
"""Of the series of a matrix exponential; what is left out is below 1/17!, less than 1e-14."""


@dataclass(frozen=True)
class SmoothingSettings:
    """How the answers of heads of the task `activity` are filtered over time."""

    method: str = setting(
        "none",
        "filter of an activity's probabilities: none, exponential average, or hmm, the forward "
        "filter of a hidden Markov model with the order of activities that the bundle has "
        "learned; answers of a head without one stay as they are",
        choices=["none", "exponential", "hmm"],
    )
    time_constant_s: float = setting(
        0.2, "of the exponential average", unit="s", low=0.01, high=60.0
    )
    margin: float = setting(
        0.0,
        "how much more probable than the current activity another has to be to replace it",
        low=0.0,
        high=1.0,
    )
    hold_s: float = setting(
        0.0,
        "how long it has to be so without a break",
        unit="s",
        low=0.0,
        high=60.0,
    )
    reset_after_s: float = setting(
        2.0,
        "time without an answer after which what was before is forgotten",
        unit="s",
        low=0.01,
        high=3600.0,
    )

    def __post_init__(self) -> None:
        validate(self, "smoothing")


class Smoother:
    """Replaces the answers of activity heads by what they are over time.

    Args:
        settings: The filter and its constants.
    """

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._heads: dict[str, _Head] = {}

    def apply(self, prediction: Prediction) -> Prediction:
        """The prediction with its activity heads filtered; call it in the order of the stamps.

        A stamp before the last one means that time was set back: everything is forgotten.
        """
        heads = dict(prediction.heads)
        for name, head in heads.items():
            if head.task == TASK:
                over_time = self._heads.setdefault(name, _Head(self._settings))
                heads[name] = over_time(prediction.stamp_ns, head)
        return dataclasses.replace(prediction, heads=heads)


class _Head:
    """The state of one head's filter."""

    def __init__(self, settings: SmoothingSettings) -> None:
        self._settings = settings
        self._stamp_ns = 0
        self._belief = np.array([np.nan])  # nothing is known
        self._current = self._rival = 0
        self._since_ns = self._rival_since_ns = 0
        self._previous = ""

    def __call__(self, stamp_ns: int, head: HeadPrediction) -> HeadPrediction:
        elapsed_s = (stamp_ns - self._stamp_ns) * 1e-9
        self._stamp_ns = stamp_ns
        settings, raw = self._settings, head.probabilities
        known = np.isfinite(self._belief).all()
        if not known or not 0 <= elapsed_s <= settings.reset_after_s:
            self._belief = raw.astype(np.float64)
            self._current = self._rival = winner(raw, head.threshold)
            self._since_ns, self._previous = stamp_ns, ""
        else:
            answer = raw.astype(np.float64)
            if settings.method == "exponential":
                kept = np.exp(-elapsed_s / settings.time_constant_s)
                answer = kept * self._belief + (1 - kept) * answer
            elif settings.method == "hmm" and head.order:
                answer = follow(self._belief, answer, elapsed_s, head.order)
            self._belief = answer
        probabilities = self._belief.astype(np.float32)
        self._decide(stamp_ns, head, probabilities)
        return dataclasses.replace(
            head,
            probabilities=probabilities,
            class_id=self._current,
            entropy=entropy(probabilities),
            abstained=bool(probabilities[self._current] < head.abstain_below),
            over_time=OverTime(raw, self._since_ns, self._previous),
        )

    def _decide(self, stamp_ns: int, head: HeadPrediction, probabilities: np.ndarray) -> None:
        """Let another class become current once it has led by the margin for long enough."""
        leader, current = winner(probabilities, head.threshold), self._current
        if len(probabilities) == 2:  # between two, 2 (p - threshold) is how far one leads
            lead = 2 * abs(probabilities[1] - head.threshold)
        else:
            lead = probabilities[leader] - probabilities[current]
        if leader == current or lead < self._settings.margin:
            self._rival = current
            return
        if leader != self._rival:
            self._rival, self._rival_since_ns = leader, stamp_ns
        if stamp_ns - self._rival_since_ns >= self._settings.hold_s * 1e9:
            self._previous, self._current = head.labels[current], leader
            self._since_ns = self._rival_since_ns


def follow(belief: np.ndarray, answer: np.ndarray, elapsed_s: float, order: Order) -> np.ndarray:
    """One step of the forward filter of a hidden Markov model in continuous time.

    An answer's probabilities stand for its likelihoods, as those of a classifier to which all
    classes are alike (our reading). Windows of close answers overlap, so that each counts only
    for the time since the last one.

    Args:
        belief: Probabilities at the last answer `(C,)`.
        answer: Probabilities by the new answer alone `(C,)`.
        elapsed_s: Time between them.
        order: How classes follow one another.

    Returns:
        Probabilities by all answers `(C,) float64`.
    """
    share = min(1.0, elapsed_s / order.evidence_s)
    joint = (belief @ transitions(order.rates, elapsed_s)) * np.maximum(answer, LEAST) ** share
    updated: np.ndarray = joint / joint.sum()
    return updated


def transitions(rates: np.ndarray, elapsed_s: float) -> np.ndarray:
    """Probabilities of a class (column) some time after another (row): exp(elapsed_s Q).

    By uniformization, as a mixture of powers of a stochastic matrix, so that no entry is negative;
    over times in which more than one change is likely, by repeated squaring.

    Args:
        rates: As `Order.rates` `(C, C)`.
        elapsed_s: At least 0.

    Returns:
        `(C, C)`, rows sum to 1.
    """
    leaving = rates.sum(1)
    changes = float(leaving.max()) * elapsed_s  # expected, of the class that is left fastest
    if changes == 0:
        return np.eye(len(rates))
    doublings = max(0, math.ceil(math.log2(changes)))
    jump = (rates + np.diag(leaving.max() - leaving)) / leaving.max()
    mean = changes / 2**doublings
    staying = np.eye(len(rates))
    made: np.ndarray = staying
    for count in range(TERMS, 0, -1):  # Horner's scheme
        made = staying + mean / count * made @ jump
    made /= made.sum(1, keepdims=True)
    for _ in range(doublings):
        made = made @ made
    return made
