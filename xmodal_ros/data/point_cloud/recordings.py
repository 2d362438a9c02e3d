"""Recordings and data sets of the simulated cell as LiDAR data: clouds with what cameras saw.

The folder is laid out as `data.visual_tactile.recordings` says. Streams of modality `lidar` and
`camera` in `settings.yaml` name the topics. A camera goes with the scans if its `camera_info` is
beside its images, and transforms tie its frame to the LiDAR's. Classes of points are what the
simulated cell publishes of them: a mono8 image of one row on `/truth/classes/<stream>`, with the
scan's stamp.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings, StreamSettings
from xmodal_ros.core.types import Modality
from xmodal_ros.data.decode import decode_image, stamp_ns
from xmodal_ros.data.point_cloud.calibration import Camera, inverse
from xmodal_ros.data.point_cloud.camera_info import camera_of, first_message
from xmodal_ros.data.point_cloud.cloud import scan_of
from xmodal_ros.data.point_cloud.problems import telling
from xmodal_ros.data.point_cloud.scan import PointClouds, Scan, Sweep, View
from xmodal_ros.data.point_cloud.transforms import Transforms
from xmodal_ros.data.recorded_images import (
    message_times,
    messages_at,
    nearest,
    source_of,
)
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import find_topics
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile import recordings, simulated
from xmodal_ros.data.visual_tactile.example import DISJOINT, OFFICIAL, Problem

KIND = recordings.KIND
SPLITS = recordings.SPLITS
CLASSES = ("background", "table", "object", "arm", "gripper", "person")
"""Of the simulated cell."""
TRUTH = "/truth/classes/"
NEAREST_M = 0.05
"""A hand's camera sees what the gripper holds."""
_Times = list[tuple[int, int]]

recognise = recordings.recognise


@dataclass(frozen=True, eq=False, slots=True)
class _Eye:
    """A camera of a recording."""

    stream: StreamSettings
    topic: str
    frame: str
    camera: Camera
    times: _Times
    """Time after the stream's offset and log time of each image."""


@dataclass(frozen=True, eq=False, slots=True)
class _Held:
    """What a recording holds of one LiDAR."""

    path: Path
    topic: str
    frame: str
    times: _Times
    labels: dict[int, int]
    """Log time by time of the classes of points."""
    eyes: list[_Eye]
    transforms: Transforms


def read(root: Path, split: str = "") -> PointClouds:
    """Index every scan of every recording; clouds and images are read when they are asked for.

    Args:
        root: The folder.
        split: "official" for `split.csv`, "disjoint" to divide groups here; empty for the former
            if it is there.

    Raises:
        DataError: a table has another form.
        SettingsError: `settings.yaml` is wrong.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    split = split or (OFFICIAL if (root / recordings.SPLIT).is_file() else DISJOINT)
    places, _ = recordings.find_places(root, split, problems)
    settings_file = root / recordings.SETTINGS
    settings = load_settings(settings_file if settings_file.is_file() else None)
    lidars = [s for s in settings.streams if s.modality == Modality.LIDAR.value]
    sweeps: list[Sweep] = []
    for place in places:
        for lidar in lidars:
            with telling(problems):
                sweeps += _of(root, place, settings, lidar, problems, notes)
    return PointClouds(
        simulated.KIND if simulated.recognise(root) else KIND,
        root,
        split,
        tuple(sweeps),
        CLASSES if any(sweep.labels for sweep in sweeps) else (),
        decode,
        tuple(problems),
        tuple(notes),
    )


def decode(sweep: Sweep) -> Scan:
    """Read a scan with its labels.

    Raises:
        DataError: the recording cannot be read, or cloud and labels do not fit.
    """
    keys = {key(source): source for source in (sweep.source, sweep.labels) if source}
    found: dict[Source, Any] = {}
    for at, _, message in messages_at(sweep.source.path, frozenset(keys)):
        found.setdefault(keys[at], message)
    missing = [source for source in keys.values() if source not in found]
    if missing:
        raise DataError("no such message", where=str(missing[0]))
    labels = None
    if sweep.labels:
        where = str(sweep.labels)
        labels = decode_image(found[sweep.labels], where).reshape(-1)
        if labels.dtype != np.uint8 or labels.max(initial=0) >= len(CLASSES):
            raise DataError(
                f"classes up to {labels.max(initial=0)} ({labels.dtype})",
                where=where,
                expected=f"uint8 of 0 to {len(CLASSES) - 1}",
            )
    message = found[sweep.source]
    return scan_of(message, stamp_ns(message.header.stamp), str(sweep.source), labels)


def key(source: Source) -> tuple[str, int]:
    """Topic and log time of a message."""
    topic, _, log_ns = source.place.rpartition("@")
    return topic, int(log_ns)


def _of(
    root: Path,
    place: recordings.Place,
    settings: Settings,
    lidar: StreamSettings,
    problems: list[Problem],
    notes: list[str],
) -> list[Sweep]:
    """Scans of one LiDAR in one recording.

    Raises:
        DataError: the recording cannot be read.
    """
    with Recording(place.path) as recording:
        held = _listen(recording, settings, lidar, problems, notes)
        if recording.unread:
            problems.append(Problem("unreadable", str(place.path), recording.unread))
    if held is None:
        return []
    name, truth = place.path.relative_to(root).as_posix(), TRUTH + lidar.name
    made, untied = [], dict[str, str]()
    for time_ns, log_ns in held.times:
        views, pose = _views(held, time_ns, untied)
        known = time_ns in held.labels
        sweep = Sweep(
            name=f"{name}:{lidar.name}@{time_ns}",
            group=place.group,
            part=place.part,
            stamp_ns=time_ns,
            source=source_of(place.path, held.topic, log_ns),
            labels=source_of(place.path, truth, held.labels[time_ns]) if known else None,
            views=views,
            pose=pose,
        )
        made.append(sweep)
    notes.extend(f"{name}: {text}" for text in untied.values())
    unlabelled = sum(sweep.labels is None for sweep in made)
    if held.labels and unlabelled:
        text = f"{unlabelled} of {len(made)} scans have no message of {truth} with their stamp"
        problems.append(Problem("missing", str(place.path), text))
    return made


def _listen(
    recording: Recording,
    settings: Settings,
    lidar: StreamSettings,
    problems: list[Problem],
    notes: list[str],
) -> _Held | None:
    """What a recording holds of a LiDAR; None, with a problem, if that is not recorded.

    Raises:
        DataError: a message that is needed cannot be read.
    """
    cameras = [s for s in settings.streams if s.modality == Modality.CAMERA.value]
    topics: dict[str, str] = {}
    with telling(problems, "missing"):
        topics = _topics(recording, settings, lidar, cameras)
    if not topics:
        return None
    streams = {s.name: s for s in (lidar, *cameras) if s.name in topics}
    truth = TRUTH + lidar.name
    if truth in recording.topics:
        topics[truth], streams[truth] = truth, lidar
    times = message_times(recording, topics, streams)
    eyes = []
    for stream in (s for s in cameras if s.name in topics):
        topic = topics[stream.name]
        camera = camera_of(recording, topic, problems, notes)
        if camera:
            eyes.append(_Eye(stream, topic, *camera, times[stream.name]))
    return _Held(
        recording.path,
        topics[lidar.name],
        first_message(recording, topics[lidar.name]).header.frame_id,
        times[lidar.name],
        dict(times.get(truth, ())),
        eyes,
        Transforms(recording),
    )


def _topics(
    recording: Recording,
    settings: Settings,
    lidar: StreamSettings,
    cameras: list[StreamSettings],
) -> dict[str, str]:
    """Topics of the LiDAR and of those cameras that are recorded, by stream.

    Raises:
        DataError: the LiDAR is not.
    """
    sync = replace(settings.sync, anchor=lidar.name)
    optional = tuple(replace(camera, required=False) for camera in cameras)
    return find_topics(recording, replace(settings, streams=(lidar, *optional), sync=sync))


def _views(
    held: _Held, time_ns: int, untied: dict[str, str]
) -> tuple[tuple[View, ...], np.ndarray | None]:
    """Images near a scan, and the LiDAR's pose; why there is none is told in `untied`."""
    try:
        root, pose = held.transforms.pose(held.frame, time_ns)
    except DataError as error:
        untied.setdefault(held.frame, f"{error.what}; such scans have no pose")
        return (), None
    views = []
    for eye in held.eyes:
        near = nearest(eye.times, time_ns, eye.stream.tolerance_s)
        if near is None:
            continue
        seen_ns, log_ns = eye.times[near]
        try:
            other, camera_pose = held.transforms.pose(eye.frame, seen_ns)
        except DataError as error:
            untied.setdefault(eye.stream.name, f"{error.what}; such images are left out")
            continue
        if other != root:
            text = f"frame '{eye.frame}' is in '{other}', '{held.frame}' in '{root}': not tied"
            untied.setdefault(eye.stream.name, text)
            continue
        source = source_of(held.path, eye.topic, log_ns)
        from_lidar = inverse(camera_pose) @ pose
        views.append(View(eye.stream.name, eye.camera, from_lidar, source, NEAREST_M))
    return tuple(views), pose if root != held.frame else None
