"""What an evaluation gathered, as plain arrays: summary and report are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xmodal_ros.core.types import Prediction
from xmodal_ros.data.labels import NO_LABEL, Interval, Track
from xmodal_ros.eval.metrics import Scores, risk_by_coverage, score


@dataclass(frozen=True)
class HeadResult:
    """All answers of one head, in the order of their stamps, beside the true labels."""

    name: str
    task: str
    labels: tuple[str, ...]
    threshold: float
    stamps_ns: np.ndarray
    """`(N,) int64`."""
    probabilities: np.ndarray
    """`(N, C) float32`."""
    class_ids: np.ndarray
    """`(N,) int64`, the class decided for."""
    abstained: np.ndarray
    """`(N,) bool`."""
    ood_scores: np.ndarray
    """`(N,) float64`, NaN where the bundle knows nothing of its training data."""
    truth: np.ndarray
    """`(N,) int64` class index, `NO_LABEL` or `UNKNOWN_LABEL`."""
    segments: tuple[Interval, ...]
    """Labelled stretches of the recording; empty when it carries no labels for this head."""

    @property
    def labelled_segments(self) -> int:
        """Labelled stretches in which the head answered at least once."""
        spans = [
            (self.stamps_ns >= s.start_ns) & (self.stamps_ns < s.end_ns) for s in self.segments
        ]
        return sum(
            s.label in self.labels and bool(m.any())
            for s, m in zip(self.segments, spans, strict=True)
        )

    @property
    def scores(self) -> Scores | None:
        """Scores over the labelled answers, None without any."""
        known = self.truth >= 0
        if not known.any():
            return None
        return score(self.probabilities[known], self.truth[known], self.class_ids[known])

    @property
    def risks(self) -> dict[str, np.ndarray]:
        """Risk by coverage `(n,)` of the labelled answers, by what they are sorted by.

        Empty without labels; "ood" is absent where a score of them is not known.
        """
        known = self.truth >= 0
        wrong = (self.class_ids != self.truth)[known]
        place = np.arange(len(self.class_ids)), self.class_ids
        trusts = {"confidence": self.probabilities[place], "ood": -self.ood_scores}
        return {
            name: risk_by_coverage(trust[known], wrong)
            for name, trust in trusts.items()
            if known.any() and np.isfinite(trust[known]).all()
        }

    @property
    def unknown_labels(self) -> tuple[str, ...]:
        """Labels of the recording which the head does not know."""
        return tuple(sorted({s.label for s in self.segments} - set(self.labels)))


@dataclass
class Gathered:
    """Collects predictions one by one."""

    stamps_ns: list[int] = field(default_factory=list)
    spread_ns: list[int] = field(default_factory=list)
    """Distance between the oldest and the newest stream of each observation."""
    preprocess_ns: list[int] = field(default_factory=list)
    inference_ns: list[int] = field(default_factory=list)
    read_ns: list[int] = field(default_factory=list)
    """Reading, decoding and synchronizing until the observation was complete."""
    ages_ns: dict[str, list[int]] = field(default_factory=dict)
    heads: dict[str, list[Prediction]] = field(default_factory=dict)

    def add(self, prediction: Prediction, read_ns: int) -> None:
        """Take one prediction, and how long its observation took to read."""
        self.stamps_ns.append(prediction.stamp_ns)
        ages = list(prediction.age_ns.values())
        self.spread_ns.append(max(ages) - min(ages) if ages else 0)
        self.preprocess_ns.append(prediction.preprocess_ns)
        self.inference_ns.append(prediction.inference_ns)
        self.read_ns.append(read_ns)
        for name, age in prediction.age_ns.items():
            self.ages_ns.setdefault(name, []).append(age)
        for name in prediction.heads:
            self.heads.setdefault(name, []).append(prediction)

    def head_results(self, tracks: Mapping[str, Track]) -> dict[str, HeadResult]:
        """Arrays per head, with the true labels of `tracks`."""
        return {name: self._head(name, tracks.get(name)) for name in self.heads}

    def _head(self, name: str, track: Track | None) -> HeadResult:
        predictions = self.heads[name]
        answers = [p.heads[name] for p in predictions]
        stamps = np.array([p.stamp_ns for p in predictions], dtype=np.int64)
        none = np.full(len(stamps), NO_LABEL)
        return HeadResult(
            name=name,
            task=answers[0].task,
            labels=answers[0].labels,
            threshold=answers[0].threshold,
            stamps_ns=stamps,
            probabilities=np.stack([a.probabilities for a in answers]),
            class_ids=np.array([a.class_id for a in answers], dtype=np.int64),
            abstained=np.array([a.abstained for a in answers]),
            ood_scores=np.array([a.ood_score for a in answers]),
            truth=track.indices(stamps.tolist(), answers[0].labels) if track else none,
            segments=track.intervals if track else (),
        )
