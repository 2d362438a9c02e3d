"""True labels of a recording: `std_msgs/String` on `labels/<head>`, valid until the next one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

LABEL_TOPIC = re.compile(r"(?:^|/)labels/([^/]+)$")
NO_LABEL = -1
UNKNOWN_LABEL = -2


@dataclass(frozen=True)
class Segment:
    """A stretch of time with one label."""

    start_ns: int
    end_ns: int
    label: str


class LabelTrack:
    """The labels of one head over time."""

    def __init__(self, entries: Iterable[tuple[int, str]], end_ns: int) -> None:
        """Take `(time_ns, label)` in any order, "" for none; the last one ends at `end_ns`."""
        made: list[Segment] = []
        ordered = sorted(entries, key=lambda entry: entry[0])
        stops = (
            [time for time, _ in ordered[1:]] + [max(end_ns, ordered[-1][0])] if ordered else []
        )
        for (start, label), stop in zip(ordered, stops, strict=True):
            if made and label and made[-1].label == label and made[-1].end_ns == start:
                made[-1] = Segment(made[-1].start_ns, stop, label)  # said again: still the same
            elif label:
                made.append(Segment(start, stop, label))
        self.segments = tuple(made)
        self._starts_ns = np.array([s.start_ns for s in made], dtype=np.int64)

    def at(self, stamp_ns: int) -> str:
        """Label at a time, empty where none is known."""
        place = int(np.searchsorted(self._starts_ns, stamp_ns, side="right")) - 1
        if place < 0 or stamp_ns >= self.segments[place].end_ns:
            return ""
        return self.segments[place].label

    def indices(self, stamps_ns: Sequence[int], labels: Sequence[str]) -> np.ndarray:
        """Class index at each stamp `(N,) int64`, `UNKNOWN_LABEL` for one not in `labels`."""
        known = {label: i for i, label in enumerate(labels)} | {"": NO_LABEL}
        at = [self.at(stamp) for stamp in stamps_ns]
        return np.array([known.get(label, UNKNOWN_LABEL) for label in at], dtype=np.int64)


def label_heads(topics: Iterable[str]) -> dict[str, str]:
    """Label topics among `topics`, by the head they are about."""
    return {m.group(1): topic for topic in topics if (m := LABEL_TOPIC.search(topic))}
