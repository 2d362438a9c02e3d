"""The numbers of an evaluation as one JSON-able mapping."""

from __future__ import annotations

import dataclasses
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import xmodal_ros
from xmodal_ros.core.health import Health
from xmodal_ros.core.settings import Settings
from xmodal_ros.eval.pictures import Moment
from xmodal_ros.eval.points import PointsResult
from xmodal_ros.eval.results import Gathered, HeadResult

STAGES = {
    "read_ns": "read, decode, synchronize",
    "preprocess_ns": "preprocess",
    "inference_ns": "inference",
}


@dataclass(frozen=True)
class ModelFacts:
    """Which model ran, and on what."""

    id: str
    weights_hash: str
    backend: str
    device: str
    precision: str


@dataclass(frozen=True)
class RecordingFacts:
    """Where the messages came from. Times are the log times of the first and last message."""

    path: Path
    start_ns: int
    end_ns: int
    metadata: Mapping[str, str]
    topics: Sequence[tuple[str, str, int, str]]
    """Name, type, number of messages, and the stream that was read from it."""

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True)
class Evaluation:
    """Everything one evaluation found."""

    recording: RecordingFacts
    model: ModelFacts
    settings: Settings
    gathered: Gathered
    heads: Mapping[str, HeadResult]
    points: Mapping[str, PointsResult]
    """By LiDAR whose points have classes."""
    health: Health
    moments: Sequence[Moment]
    problems: Sequence[str]
    wall_s: float
    """From the first message read to the last prediction, without loading the model."""


def summarize(evaluation: Evaluation) -> dict[str, Any]:
    """Build the summary; a score that is not defined is None."""
    gathered, recording = evaluation.gathered, evaluation.recording
    count = len(gathered.stamps_ns)
    return {
        "version": xmodal_ros.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "recording": {
            "path": recording.path.name,
            "duration_s": recording.duration_s,
            "metadata": dict(recording.metadata),
            "topics": [
                {"topic": topic, "type": kind, "messages": number, "stream": stream}
                for topic, kind, number, stream in recording.topics
            ],
        },
        "model": dataclasses.asdict(evaluation.model),
        "observations": {
            "count": count,
            "partial": evaluation.health.partial,
            "refused": sum(evaluation.health.refused.values()),
        },
        "heads": {name: _head(head) for name, head in evaluation.heads.items()},
        "points": {name: _points(result) for name, result in evaluation.points.items()},
        "sync": {
            "rate_hz": 1e9 / float(np.median(np.diff(gathered.stamps_ns))) if count > 1 else None,
            "spread_ms": percentiles(gathered.spread_ns),
            "streams": {
                name: {
                    "messages": counts.received,
                    "refused": dict(counts.refused),
                    "dropped": dict(counts.dropped),
                    "missing": dict(counts.missing),
                    "age_ms": percentiles(gathered.ages_ns.get(name, [])),
                }
                for name, counts in evaluation.health.streams.items()
            },
        },
        "timing": {
            "wall_s": evaluation.wall_s,
            "predictions_per_s": count / evaluation.wall_s,
            "times_real_time": recording.duration_s / evaluation.wall_s,
            "stages_ms": {
                name: percentiles(getattr(gathered, key)) for key, name in STAGES.items()
            },
        },
        "problems": list(evaluation.problems),
    }


def percentiles(values_ns: Sequence[int]) -> dict[str, float] | None:
    """p50, p90, p99 and max in milliseconds; None without values."""
    if not values_ns:
        return None
    p50, p90, p99 = np.percentile(np.asarray(values_ns) / 1e6, [50, 90, 99])
    return {"p50": p50, "p90": p90, "p99": p99, "max": max(values_ns) / 1e6}


def _points(result: PointsResult) -> dict[str, Any]:
    return {
        "labels": list(result.labels),
        "scans": result.scans,
        "scored": result.scored,
        "scores": result.scores,
        "confusion": result.confusion.tolist(),
    }


def _head(head: HeadResult) -> dict[str, Any]:
    scores = head.scores
    made: dict[str, Any] = {
        "task": head.task,
        "labels": list(head.labels),
        "answers": len(head.stamps_ns),
        "abstained": int(head.abstained.sum()),
        "labelled_segments": head.labelled_segments,
        "scores": None,
        "risk_area": {name: float(risk.mean()) for name, risk in head.risks.items()},
    }
    if scores:
        plain = dataclasses.asdict(scores)
        made["scores"] = {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in plain.items()
        } | {"confusion": scores.confusion.tolist()}
    return made
