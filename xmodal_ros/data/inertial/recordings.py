"""Recordings and data sets of the simulated cell as tracks: IMU topics with their activities.

The folder is laid out as `data.visual_tactile.recordings` says. A recording's group is its
subject. Times are header stamps after the offset of the stream's settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings, StreamSettings
from xmodal_ros.core.types import Modality, Sample
from xmodal_ros.data.decode import decode
from xmodal_ros.data.inertial.track import (
    ACCELERATION,
    ANGULAR_RATE,
    Inertial,
    Track,
    channels,
    classes_of,
)
from xmodal_ros.data.labels import Interval, label_tracks
from xmodal_ros.data.labels import Track as LabelTrack
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import find_topics
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.data.visual_tactile import recordings, simulated
from xmodal_ros.data.visual_tactile.example import DISJOINT, OFFICIAL, Problem

KIND = recordings.KIND
SPLITS = recordings.SPLITS
HEAD = "activity"

recognise = recordings.recognise


def read(root: Path, split: str = "") -> Inertial:
    """Read every IMU of every recording.

    Args:
        root: The folder.
        split: "official" for `split.csv`, "disjoint" to divide groups here; empty for the former
            if it is there.

    Raises:
        DataError: a table has another form.
        SettingsError: `settings.yaml` is wrong.
    """
    problems: list[Problem] = []
    split = split or (OFFICIAL if (root / recordings.SPLIT).is_file() else DISJOINT)
    places, _ = recordings.find_places(root, split, problems)
    settings_file = root / recordings.SETTINGS
    settings = load_settings(settings_file if settings_file.is_file() else None)
    sidecar = recordings.read_sidecar(root, [place.path for place in places], problems)
    rate_hz = _declared_hz(root)
    tracks = [
        track
        for place in places
        for track in _of(root, place, settings, sidecar.get(place.path, {}), rate_hz, problems)
    ]
    kind = simulated.KIND if simulated.recognise(root) else KIND
    return Inertial(kind, root, split, tuple(tracks), classes_of(tracks), tuple(problems))


def _of(
    root: Path,
    place: recordings.Place,
    settings: Settings,
    sidecar: Mapping[str, LabelTrack],
    rate_hz: float,
    problems: list[Problem],
) -> list[Track]:
    """Tracks of one recording; what is wrong with one IMU does not hinder the others."""
    tracks: list[Track] = []
    streams = [s for s in settings.streams if s.modality == Modality.IMU.value]
    with _telling(place.path, problems), Recording(place.path) as recording:
        labels = {**label_tracks(recording), **sidecar}.get(HEAD)
        for stream in streams:
            topic = ""
            with _telling(place.path, problems, "missing"):
                topic = _topic(recording, settings, stream)
            if not topic:
                continue
            with _telling(place.path, problems):
                times_ns, values, where = _samples(recording, topic, stream, problems)
                track = Track(
                    session=place.path.relative_to(root).as_posix(),
                    subject=place.group,
                    device=stream.name,
                    part=place.part,
                    times_ns=times_ns,
                    values=values,
                    channels=channels(ACCELERATION, ANGULAR_RATE),
                    labels=(),
                    rate_hz=rate_hz,
                    where=where,
                )
                tracks.append(replace(track, labels=_within(labels, track) if labels else ()))
        if recording.unread:
            problems.append(Problem("unreadable", str(place.path), recording.unread))
    return tracks


@contextmanager
def _telling(path: Path, problems: list[Problem], kind: str = "unreadable") -> Iterator[None]:
    """Make a problem of an error."""
    try:
        yield
    except DataError as error:
        text = str(error).removeprefix(f"{path}: ")
        problems.append(Problem(kind, str(path), text))


def _declared_hz(root: Path) -> float:
    """Rate of the simulated cell's IMU, 0 of other recordings."""
    try:
        contents = json.loads((root / simulated.CONTENTS).read_text(encoding="utf-8"))
        return float(contents["settings"]["episode"]["clocks"]["imu"]["rate_hz"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _topic(recording: Recording, settings: Settings, stream: StreamSettings) -> str:
    """The topic of a stream.

    Raises:
        DataError: it is not recorded.
    """
    alone = replace(settings, streams=(stream,), sync=replace(settings.sync, anchor=stream.name))
    return find_topics(recording, alone)[stream.name]


def _samples(
    recording: Recording, topic: str, stream: StreamSettings, problems: list[Problem]
) -> tuple[np.ndarray, np.ndarray, str]:
    """Times and values of a stream, and where they come from.

    Raises:
        DataError: none of its messages can be used.
    """
    where = f"{recording.path}:{topic}"
    stamps, rows, refused = [], [], []
    for _, kind, _, message in recording.messages([topic]):
        sample = _decode(message, kind, stream.modality, where)
        if isinstance(sample, str):
            refused.append(sample)
        else:
            stamps.append(sample.stamp_ns)
            rows.append(sample.data)
    if not rows:
        why = f": {refused[0]}" if refused else ""
        raise DataError(f"no message of {topic} can be used{why}", where=str(recording.path))
    if refused:
        text = f"{len(refused)} of {len(rows) + len(refused)} messages: {refused[0]}"
        problems.append(Problem("unreadable", where, text))
    times_ns = np.array(stamps, np.int64) + round(stream.offset_s * 1e9)
    return times_ns, np.array(rows, np.float64), where


def _decode(message: Any, kind: str, modality: str, where: str) -> Sample | str:
    """The sample, or why it cannot be used."""
    try:
        return decode(message, kind, modality, where)
    except DataError as error:
        return error.what


def _within(labels: LabelTrack, track: Track) -> tuple[Interval, ...]:
    """Labels cut to the time that the track covers: the last one of a topic has no end."""
    first, last = int(track.times_ns.min()), int(track.times_ns.max()) + track.period_ns
    cut = [Interval(max(s, first), min(e, last), label) for s, e, label in labels.intervals]
    return tuple(interval for interval in cut if interval.start_ns < interval.end_ns)
