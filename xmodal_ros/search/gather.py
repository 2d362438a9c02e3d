"""Recordings to an index: predictions at a spacing, as the evaluation makes them, and pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.smoothing import Smoother
from xmodal_ros.core.throttle import Throttle
from xmodal_ros.core.types import Observation, Prediction
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.search.entries import Known, Model, Moment
from xmodal_ros.search.nearest import shorten
from xmodal_ros.search.pictures import picture
from xmodal_ros.search.store import Store

_ENDS = 65_536
"""Bytes at the beginning and at the end of a file that tell which one it is."""


@dataclass
class Gathered:
    """What became of the recordings."""

    added: dict[Path, int] = field(default_factory=dict)
    """Moments by recording."""
    known: list[Path] = field(default_factory=list)
    """Were in the index already."""
    problems: dict[Path, str] = field(default_factory=dict)
    """Why nothing of a recording, or not all of it, is in the index."""


@dataclass(frozen=True)
class Progress:
    """How far it is."""

    recordings: float
    """Done, with the share of the one that is read."""
    name: str
    """Of that one."""
    moments: int
    """Of all."""


Listener = Callable[[Progress], None]


def gather(
    recordings: Sequence[Path],
    out: Path,
    settings: Settings,
    every_s: float,
    listener: Listener = lambda progress: None,
) -> Gathered:
    """Add recordings to an index, which is made where there is none.

    A recording is added as a whole or not at all, so an interrupted run goes on with the one it
    was at. One that cannot be read is told and left out.

    Args:
        recordings: rosbag2 recordings, sqlite3 or MCAP.
        out: Folder of the index.
        settings: As for an evaluation; kept, since a search by a recording needs them.
        every_s: Time from one moment to the next, s.
        listener: Called after each moment.

    Raises:
        StoreError: the index is of another bundle, or cannot be written.
        BundleError: the bundle is not whole.
        DeviceError: a device or backend asked for by name is not there.
    """
    bundle = Bundle.load(settings.inference.bundle)
    used, _ = bundle.fit(settings)
    made, result = _made(used, every_s), Gathered()
    model = Model(bundle.id, bundle.weights_hash)
    with Store(out, model) as store, Predictor(bundle, used.inference) as predictor:
        store.note(bundle=str(bundle.path.resolve()), settings=settings.to_mapping())
        for place, path in enumerate(recordings):
            try:
                with Recording(path) as source:
                    known = Known(path.resolve(), fingerprint(path), made, source.start_ns)
                    if store.has(known):
                        result.known.append(path)
                        continue
                    moments = _moments(source, predictor, used, every_s)
                    before = sum(result.added.values())
                    shown = _shown(moments, source, place, before, listener)
                    result.added[path] = store.add(known, shown)
                    if source.unread:
                        result.problems[path] = f"{path}: {source.unread} cannot be read"
            except DataError as error:
                result.problems[path] = str(error)
        for stream in store.streams():
            shorten(store, stream)
    return result


def fingerprint(recording: Path) -> str:
    """What tells a recording from all others, wherever it is; reads little of it."""
    files = sorted(recording.iterdir()) if recording.is_dir() else [recording]
    digest = hashlib.sha256()
    for file in filter(Path.is_file, files):
        size = file.stat().st_size
        digest.update(f"{size} ".encode())
        with file.open("rb") as opened:
            digest.update(opened.read(_ENDS))
            opened.seek(max(0, size - _ENDS))
            digest.update(opened.read())
    return digest.hexdigest()


def _made(used: Settings, every_s: float) -> str:
    """What moments depend on beside the bundle and the recording."""
    values = used.to_mapping()
    kept = {name: values[name] for name in ("streams", "sync", "smoothing")}
    return json.dumps({"every_s": every_s, **kept}, sort_keys=True)


def _moments(
    source: Recording, predictor: Predictor, used: Settings, every_s: float
) -> Iterator[Moment]:
    """What the bundle says of a recording.

    Raises:
        DataError: nothing, or the recording cannot be read.
    """
    throttle, smoother, count = Throttle(), Smoother(used.smoothing), 0
    _, windows = predictor.bundle.fit(used)
    for observation in observations(source, used, windows):
        if throttle.admits(observation.stamp_ns, 1 / every_s):
            prediction = smoother.apply(predictor.predict(observation))
            if prediction.embeddings:
                count += 1
                yield _moment(observation, prediction)
    if not count:
        raise DataError(
            "gives no set of what the bundle reads",
            where=str(source.path),
            expected=", ".join(predictor.inputs),
        )


def _shown(
    moments: Iterator[Moment], source: Recording, place: int, before: int, listener: Listener
) -> Iterator[Moment]:
    """The same, telling the listener."""
    length_ns = max(source.end_ns - source.start_ns, 1)
    for count, moment in enumerate(moments, 1):
        share = (moment.stamp_ns - source.start_ns) / length_ns
        listener(Progress(place + share, source.path.name, before + count))
        yield moment


def _moment(observation: Observation, prediction: Prediction) -> Moment:
    answers = {
        name: (answer.label, answer.confidence)
        for name, answer in prediction.heads.items()
        if not answer.abstained
    }
    seen = picture(observation, prediction.embeddings)
    return Moment(prediction.stamp_ns, prediction.embeddings, answers, seen)
