"""Whether a grasp will hold: when predictions that follow one another are enough to decide.

Each prediction is calibrated, but they are no independent witnesses: their windows overlap, and a
gel that misleads one misleads the next. So their odds are not multiplied, which would make any
hunch a certainty within a second; they are averaged over time, the newest ones most. The average
is never surer than the surest of them, one flicker does not decide where more is asked for, and a
grasp that begins to slip is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.types import HeadPrediction

TASK = "grasp"
TIME_CONSTANT_S = 0.2
"""Of the average: a prediction this old counts for a third of a new one."""


class Decision(IntEnum):
    """What came of it; the numbers are those of the action `AssessGrasp`."""

    UNSURE = 0
    HOLD = 1
    REGRASP = 2


@dataclass(frozen=True)
class Terms:
    """What a decision has to satisfy.

    Raises:
        SettingsError: a value is out of its range, or not a number.
    """

    timeout_s: float
    """Longest wait for it, > 0."""
    min_confidence: float = 0.0
    """Least probability of what is decided, 0.5 to 1; 0: the bundle's `abstain_below`."""
    threshold: float = 0.0
    """Hold from this probability on, 0 to 1; 0: the bundle's own."""
    required_streams: tuple[str, ...] = ()
    """Predictions without one of them do not count."""

    def __post_init__(self) -> None:
        check_timeout(self.timeout_s)
        if self.min_confidence != 0 and not 0.5 <= self.min_confidence <= 1:
            raise SettingsError(
                f"got {self.min_confidence:g}",
                where="min_confidence",
                expected="a value from 0.5 to 1, or 0 for the bundle's own",
            )
        if not 0 <= self.threshold <= 1:
            raise SettingsError(
                f"got {self.threshold:g}",
                where="threshold",
                expected="a value from 0 to 1, where 0 is the bundle's own",
            )


def check_timeout(timeout_s: float) -> None:
    """Refuse a time limit that nothing can meet.

    Raises:
        SettingsError: it is not positive, or infinite.
    """
    if not 0 < timeout_s < math.inf:
        raise SettingsError(f"got {timeout_s:g} s", where="timeout", expected="more than 0 s")


class Evidence:
    """The predictions of one grasp so far.

    Args:
        terms: What a decision has to satisfy.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._stamp_ns = 0
        self.observations = 0
        """Predictions that were added."""
        self.probability = 0.0
        """That the grasp holds: the average; 0 before the first prediction."""
        self.decision = Decision.UNSURE
        self.least_confidence = 0.0
        """Probability that was asked of a decision on the last prediction."""

    def add(self, stamp_ns: int, head: HeadPrediction) -> Decision:
        """Take a prediction of a grasp head and decide, if it is clear.

        A stamp before the last one means that time was set back: what was before is forgotten.
        """
        elapsed_s = (stamp_ns - self._stamp_ns) * 1e-9
        answer = float(head.probabilities[1])
        if self.observations and elapsed_s >= 0:
            kept = math.exp(-elapsed_s / TIME_CONSTANT_S)
            answer = kept * self.probability + (1 - kept) * answer
        self._stamp_ns, self.probability = stamp_ns, answer
        self.observations += 1
        threshold = self._terms.threshold or head.threshold
        self.least_confidence = self._terms.min_confidence or head.abstain_below
        holds = answer >= threshold
        if (answer if holds else 1 - answer) < self.least_confidence:
            self.decision = Decision.UNSURE
        else:
            self.decision = Decision.HOLD if holds else Decision.REGRASP
        return self.decision
