"""True labels over time: `std_msgs/String` on `labels/<head>`, valid until the next one."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from xmodal_ros.data.recording import Recording

NO_LABEL = -1
UNKNOWN_LABEL = -2
FOR_EVER_NS = 2**63 - 1
_TOPIC = re.compile(r"(?:^|/)labels/([^/]+)$")


class Interval(NamedTuple):
    """A time with one label; the end is not in it."""

    start_ns: int
    end_ns: int
    label: str


class Track:
    """Labels of one head over time."""

    def __init__(self, intervals: Iterable[Interval]) -> None:
        self.intervals = tuple(sorted(intervals))
        self._starts_ns = [interval.start_ns for interval in self.intervals]

    def __len__(self) -> int:
        return len(self.intervals)

    def at(self, stamp_ns: int) -> str:
        """Label at a time, the one that began last of several; empty where there is none."""
        begun = self.intervals[: bisect_right(self._starts_ns, stamp_ns)]
        return next((i.label for i in reversed(begun) if stamp_ns < i.end_ns), "")

    def indices(self, stamps_ns: Sequence[int], labels: Sequence[str]) -> np.ndarray:
        """Class index at each stamp `(N,) int64`, `UNKNOWN_LABEL` for one not in `labels`."""
        known = {label: i for i, label in enumerate(labels)} | {"": NO_LABEL}
        at = [self.at(stamp) for stamp in stamps_ns]
        return np.array([known.get(label, UNKNOWN_LABEL) for label in at], dtype=np.int64)

    def overlaps(self) -> list[tuple[Interval, Interval]]:
        """Intervals that say different things about one time."""
        pairs = combinations(self.intervals, 2)
        return [(a, b) for a, b in pairs if b.start_ns < a.end_ns and a.label != b.label]


def said(entries: Iterable[tuple[int, str]], end_ns: int = FOR_EVER_NS) -> Track:
    """A track of what was said when.

    Args:
        entries: `(time_ns, label)` in any order, "" for none. A label that is said again goes on.
        end_ns: Where the last one ends.
    """
    ordered = sorted(entries, key=lambda entry: entry[0])
    stops = [time_ns for time_ns, _ in ordered[1:]] + [end_ns]
    made: list[Interval] = []
    for (start, label), stop in zip(ordered, stops, strict=False):
        if not label or start >= stop:
            continue
        if made and made[-1].label == label and made[-1].end_ns == start:
            start = made.pop().start_ns
        made.append(Interval(start, stop, label))
    return Track(made)


def label_topics(topics: Iterable[str]) -> dict[str, str]:
    """Label topics among `topics`, by the head they are about."""
    return {match[1]: topic for topic in topics if (match := _TOPIC.search(topic))}


def label_tracks(recording: Recording, end_ns: int = FOR_EVER_NS) -> dict[str, Track]:
    """The recording's own labels by head, by the log times of their messages."""
    heads = {topic: head for head, topic in label_topics(recording.topics).items()}
    entries: dict[str, list[tuple[int, str]]] = {head: [] for head in heads.values()}
    for topic, _, time_ns, message in recording.messages(list(heads)):
        entries[heads[topic]].append((time_ns, message.data))
    return {head: said(found, end_ns) for head, found in entries.items()}
