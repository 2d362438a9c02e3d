"""Classes of points beside those that a recording holds: scores and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.core.segmentation import IGNORE, confusion, segmentation
from xmodal_ros.core.types import Observation
from xmodal_ros.data.decode import decode_image, stamp_ns
from xmodal_ros.data.point_cloud.drawing import class_colours, from_above
from xmodal_ros.data.point_cloud.recordings import CLASSES, TRUTH
from xmodal_ros.data.recording import Recording
from xmodal_ros.runtime.points import label_points
from xmodal_ros.runtime.predictor import Predictor

PICTURE_PX = 240


class Truth:
    """Classes of points of a stream, read along with its scans.

    Args:
        recording: Opened for this alone.
        stream: Name of the LiDAR.
    """

    def __init__(self, recording: Recording, stream: str) -> None:
        topic = TRUTH + stream
        self._messages: Iterator[Any] = iter(())
        if topic in recording.topics:
            self._messages = (message for *_, message in recording.messages([topic]))
        self._where = topic
        self._kept: dict[int, np.ndarray] = {}
        self._newest_ns = -1

    def of(self, scan_ns: int) -> np.ndarray | None:
        """Classes of a scan, `(N,) uint8`, by its stamp; scans are asked for in their order."""
        while self._newest_ns < scan_ns and (message := next(self._messages, None)):
            self._newest_ns = stamp_ns(message.header.stamp)
            self._kept[self._newest_ns] = decode_image(message, self._where).reshape(-1)
        self._kept = {at: kept for at, kept in self._kept.items() if at >= scan_ns}
        return self._kept.get(scan_ns)


@dataclass
class PointsResult:
    """What was said of the points of one LiDAR."""

    labels: tuple[str, ...]
    """Names of the classes."""
    scans: int = 0
    scored: int = 0
    """Scans whose classes the recording holds."""
    unfit: int = 0
    """Scans whose classes are not as many as their points."""
    confusion: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """`(C, C + 1)`, see `core.segmentation`."""

    @property
    def scores(self) -> dict[str, dict[str, float]] | None:
        """Scores of all points together, None without any."""
        return segmentation(self.confusion, self.labels) if self.confusion.any() else None


class PointScores:
    """Labels the scans of an evaluation, each once, and compares.

    Args:
        recording: Path of the recording.
        predictor: Of a bundle which may have classes of points.
    """

    def __init__(self, recording: str | Path, predictor: Predictor) -> None:
        self._predictor = predictor
        self._source = Recording(recording)
        self._truth = {stream: Truth(self._source, stream) for stream in predictor.labelled}
        self._seen_ns: dict[str, int] = {}
        self._newest: dict[str, np.ndarray | None] = {}
        self.results = {
            stream: PointsResult(
                card.labels,
                confusion=np.zeros((len(card.labels), len(card.labels) + 1), np.int64),
            )
            for stream, card in predictor.labelled.items()
        }

    def __enter__(self) -> PointScores:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def offer(self, observation: Observation) -> None:
        """Score the scans of the observation that was predicted last."""
        for stream in self._predictor.labelled:
            if stream in self._predictor.encoded:
                self._score(stream, observation)

    def _score(self, stream: str, observation: Observation) -> None:
        data, result = observation.streams[stream], self.results[stream]
        if self._seen_ns.get(stream) == data.stamps_ns[0]:
            return
        self._seen_ns[stream] = data.stamps_ns[0]
        truth = self._truth[stream].of(data.stamps_ns[0])
        result.scans += 1
        if truth is not None and len(truth) != len(data.data):
            result.unfit += 1
            truth = None
        known = None if truth is None else _by_name(result.labels)[truth]
        self._newest[stream] = known
        if known is not None:
            found = label_points(self._predictor.encoded[stream], self._predictor.labelled[stream])
            result.scored += 1
            result.confusion += confusion(known, found.labels, len(result.labels))

    def pictures(self, observation: Observation) -> Mapping[tuple[str, str], np.ndarray]:
        """Scans from above as they were labelled, and as they are, by (what, stream)."""
        drawn = {}
        for stream, card in self._predictor.labelled.items():
            if stream in self._predictor.encoded:
                points = observation.streams[stream].data
                found = label_points(self._predictor.encoded[stream], card).labels
                drawn["classes", stream] = _draw(points, found)
                known = self._newest.get(stream)
                if known is not None:
                    drawn["true classes", stream] = _draw(points, known)
        return drawn


def _draw(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return from_above(points, class_colours(labels), PICTURE_PX)


def _by_name(labels: tuple[str, ...]) -> np.ndarray:
    """Label of a bundle for every class of a recording, `IGNORE` where it knows none."""
    table = np.full(IGNORE + 1, IGNORE, np.uint8)
    for k, name in enumerate(CLASSES):
        if name in labels:
            table[k] = labels.index(name)
    return table
