"""Offline evaluation: predictions over a recording, their scores and timing, and a report."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.smoothing import Smoother
from xmodal_ros.core.throttle import Throttle
from xmodal_ros.core.types import Observation, Prediction
from xmodal_ros.data.encode import encode
from xmodal_ros.data.labels import Track, label_tracks
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.data.replay import observations
from xmodal_ros.eval.pictures import Moment, moment
from xmodal_ros.eval.points import PointScores
from xmodal_ros.eval.problems import head_problems, point_problems, stream_problems
from xmodal_ros.eval.report import write_report
from xmodal_ros.eval.results import Gathered
from xmodal_ros.eval.summary import Evaluation, ModelFacts, RecordingFacts, summarize
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.focus import Focus
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.runtime.teach import Teachable

MOMENTS = 8
NAMESPACE = "/perception"
"""Topics of predictions are those of the live node."""
PREDICTIONS, SUMMARY, REPORT, SETTINGS = (
    "predictions",
    "summary.json",
    "report.html",
    "settings.yaml",
)


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is, in the recording's time."""

    done_s: float
    total_s: float
    predictions: int


Listener = Callable[[Progress], None]


def evaluate(
    recording: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    listener: Listener = lambda progress: None,
) -> dict[str, Any]:
    """Evaluate one recording and write everything about it; earlier results in `out` are replaced.

    Args:
        recording: rosbag2 recording, sqlite3 or MCAP.
        out: Folder for the recording `predictions`, `summary.json`, `report.html` and the
            effective `settings.yaml`.
        settings: All settings; the bundle is `settings.inference.bundle`.
        listener: Called after each prediction.

    Returns:
        The summary, as written to `summary.json`.

    Raises:
        DataError: the recording cannot be read or lacks the anchor's topic.
        BundleError: the bundle is not whole, or materials were taught to another one.
        DeviceError: a device or backend asked for by name is not there.
    """
    evaluation = predict(recording, out, settings or Settings(), listener)
    return write_results(evaluation, out)


def predict(
    recording: str | Path, out: str | Path, settings: Settings, listener: Listener
) -> Evaluation:
    """The first half of `evaluate`: predict, and write `predictions` only."""
    with Recording(recording) as source:
        bundle = Bundle.load(settings.inference.bundle)
        used, windows = bundle.fit(settings)
        replay = observations(source, used, windows)
        tracks = read_labels(source)
        gathered = Gathered()
        with (
            Predictor(bundle, used.inference) as predictor,
            PointScores(recording, predictor) as points,
            _writer(Path(out)) as writer,
        ):
            moments = _Moments(tracks, source, predictor, points)
            predictor.warm_up()
            teachable = Teachable(predictor, used.inference.taught)
            throttle, smoother = Throttle(), Smoother(used.smoothing)
            begun_ns = before_ns = time.perf_counter_ns()
            for observation in replay:
                if not throttle.admits(observation.stamp_ns, used.output.max_rate_hz):
                    continue
                read_ns = time.perf_counter_ns() - before_ns
                prediction = smoother.apply(teachable.predict(observation))
                for head, (type_name, fields) in encode(prediction).items():
                    writer.write(f"{NAMESPACE}/{head}", type_name, prediction.stamp_ns, fields)
                gathered.add(prediction, read_ns)
                points.offer(observation)
                moments.offer(observation, prediction)
                listener(_progress(source, prediction, gathered))
                before_ns = time.perf_counter_ns()
            wall_s = (time.perf_counter_ns() - begun_ns) / 1e9
            target = predictor.backend.target
            model = ModelFacts(
                id=bundle.id,
                weights_hash=bundle.weights_hash,
                backend=predictor.backend.name,
                device=target.device,
                precision=target.precision,
            )
        heads = gathered.head_results(tracks)
        expected = {name: head.streams for name, head in bundle.spec.heads.items()}
        problems = [f"Not readable in the recording: {source.unread}."] if source.unread else []
        problems += stream_problems(used.streams, replay, source.topics)
        problems += head_problems(expected, heads, tracks)
        problems += point_problems(points.results)
        return Evaluation(
            recording=_facts(source, replay.topics),
            model=model,
            settings=used,
            gathered=gathered,
            heads=heads,
            points=points.results,
            health=replay.health,
            moments=moments.found,
            problems=problems,
            wall_s=wall_s,
        )


def write_results(
    evaluation: Evaluation, out: str | Path, live: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write summary, report and effective settings beside the predictions.

    Args:
        evaluation: What was found.
        out: Folder.
        live: What a run of the same recording through the live node gave, where there was one.

    Returns:
        The summary.
    """
    out = Path(out)
    summary = {**summarize(evaluation), "live": live}
    (out / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    settings = yaml.safe_dump(evaluation.settings.to_mapping(), sort_keys=False)
    (out / SETTINGS).write_text(settings, encoding="utf-8")
    write_report(evaluation, summary, out / REPORT)
    return summary


def examples(recording: str | Path, bundle: Bundle, count: int) -> list[Observation]:
    """Observations with every stream of a bundle present, spread over a recording.

    Raises:
        DataError: the recording gives none.
    """
    with Recording(recording) as source:
        used, windows = bundle.fit(Settings())
        replay = observations(source, used, windows)
        whole = _spread((o for o in replay if not o.missing), count)
        if not whole or len(used.streams) < len(bundle.inputs):
            raise DataError(
                "gives no observation with every stream",
                where=str(recording),
                expected=", ".join(bundle.inputs),
            )
    return whole


def _spread(found: Iterable[Observation], count: int) -> list[Observation]:
    """At most `count` of what is found, evenly spread; twice as many are in memory at most."""
    kept: list[Observation] = []
    step = 1
    for index, observation in enumerate(found):
        if index % step == 0:
            kept.append(observation)
        if len(kept) == 2 * count:
            kept, step = kept[::2], 2 * step
    return kept[:: max(1, len(kept) // count)][:count]


def read_labels(source: Recording) -> dict[str, Track]:
    """Label tracks by head."""
    return label_tracks(source, source.end_ns + 1)


def _writer(out: Path) -> RecordingWriter:
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / PREDICTIONS, ignore_errors=True)
    return RecordingWriter(out / PREDICTIONS)


def _progress(source: Recording, prediction: Prediction, gathered: Gathered) -> Progress:
    return Progress(
        done_s=(prediction.stamp_ns - source.start_ns) / 1e9,
        total_s=(source.end_ns - source.start_ns) / 1e9,
        predictions=len(gathered.stamps_ns),
    )


def _facts(source: Recording, used: Mapping[str, str]) -> RecordingFacts:
    streams = {topic: stream for stream, topic in used.items()}
    return RecordingFacts(
        path=source.path,
        start_ns=source.start_ns,
        end_ns=source.end_ns,
        metadata=source.metadata,
        topics=[
            (name, topic.type, topic.count, streams.get(name, ""))
            for name, topic in source.topics.items()
        ],
    )


class _Moments:
    """Draws observations spread over the labelled stretches, or else over the recording."""

    def __init__(
        self,
        tracks: Mapping[str, Track],
        source: Recording,
        predictor: Predictor,
        points: PointScores,
    ) -> None:
        self._predictor, self._focus, self._points = predictor, Focus(predictor), points
        self._focus.load()  # now, since predictions are timed
        # Late in a stretch, when clips and windows have filled.
        late = sorted(
            (s.start_ns + 3 * s.end_ns) // 4 for track in tracks.values() for s in track.intervals
        )
        if late:
            step = max(1, -(-len(late) // MOMENTS))
            self._wanted = late[step // 2 :: step]
        else:
            length_ns = source.end_ns - source.start_ns
            self._wanted = [
                source.start_ns + length_ns * (2 * k + 1) // (2 * MOMENTS) for k in range(MOMENTS)
            ]
        self.found: list[Moment] = []

    def offer(self, observation: Observation, prediction: Prediction) -> None:
        """Draw this observation if it is the first one at or after a wanted moment."""
        if self._wanted and observation.stamp_ns >= self._wanted[0]:
            encoded = self._predictor.encoded
            drawn = self._points.pictures(observation)
            self.found.append(moment(observation, prediction, self._focus, encoded, drawn))
            self._wanted = [w for w in self._wanted if w > observation.stamp_ns]
