"""Moments of the simulated cell: what the wrist camera sees, the IMU's window, and what is true.

Recordings are replayed as a node would hear them, so a moment is what a describer is asked about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from rich.progress import track

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.types import Observation
from xmodal_ros.data.labels import Track, label_tracks
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.data.visual_tactile.example import OFFICIAL, TEST, TRAIN, VALIDATION, Problem
from xmodal_ros.data.visual_tactile.recordings import SETTINGS, Place, find_places
from xmodal_ros.nn.architecture import ImuSettings
from xmodal_ros.nn.network import Network
from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.features import Features, cached
from xmodal_ros.train.language.settings import MiniatureSettings

CAMERA, IMU = "camera", "imu"
ACTIVITY, MATERIAL, GRASP = "activity", "material", "grasp"
HELD_NS = 300_000_000
"""How long an activity must have lasted: at its very beginning nothing has been sensed of it."""
ENCODED = 32
"""Images per forward pass of the frozen encoder."""


@dataclass(frozen=True, eq=False)
class Moments:
    """N moments; rows of all arrays belong together."""

    windows: np.ndarray
    """`(N, samples, 6) float32`."""
    facts: Mapping[str, np.ndarray]
    """By head `(N,)` of text: activity; material, empty while nothing is touched; grasp, empty
    where none was decided."""
    parts: np.ndarray
    """`(N,)` of "train", "validation" or "test"."""
    groups: np.ndarray
    """`(N,)` of the recordings' names."""
    stamps_ns: np.ndarray
    """`(N,) int64`."""
    features: Features
    """What the frozen image encoder gave."""

    def indices(self, part: str) -> np.ndarray:
        """Of the moments of a part `(M,) int64`."""
        return np.flatnonzero(self.parts == part)


def read_moments(
    root: Path, network: Network, settings: MiniatureSettings, cache: Path, most: int = 0
) -> Moments:
    """Read a data set's moments and encode their images, or take both from the cache.

    Args:
        root: Of recordings with `split.csv` and activities, as `xmodal sim dataset` makes them.
        network: With the image encoder's weights.
        settings: Of the run.
        cache: Folder that keeps them.
        most: Recordings of each part that are read; 0 for all.

    Raises:
        DataError: there is no split, or no moment of a part.
    """
    problems: list[Problem] = []
    places, hashes = find_places(root, OFFICIAL, problems)
    if problems:
        raise DataError(problems[0].what, where=problems[0].where)
    places = _first(places, most)
    imu = cast(ImuSettings, network.architecture.branch(IMU))
    key = {
        "files": [hashes[place.path] for place in places],
        "window": vars(imu.window),
        "per_activity": settings.schedule.per_activity,
    }
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = cache / f"moments-{name}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, **_read(root, places, network, settings))
        part.replace(path)
    with np.load(path) as arrays:
        found = dict(arrays)
    for part_name in (TRAIN, VALIDATION, TEST):
        if part_name not in found["parts"]:
            raise DataError(f"no moment in the {part_name} part", where=str(root))
    encoder = cast(Any, network.branch(CAMERA).contrastive.encoder)
    count = -(-len(found["parts"]) // ENCODED)
    features = cached(
        cache,
        {"moments": name, "images": vars(encoder.settings)},
        encoder,
        lambda: _batches(root, places, found, encoder.settings),
        count,
        "features of the camera",
    )
    facts = {head: found[head] for head in (ACTIVITY, MATERIAL, GRASP)}
    rest = {k: found[k] for k in ("windows", "parts", "groups", "stamps_ns")}
    return Moments(facts=facts, features=features, **rest)


def _first(places: Sequence[Place], most: int) -> list[Place]:
    counts: dict[str, int] = {}
    kept = []
    for place in places:
        counts[place.part] = counts.get(place.part, 0) + 1
        if not most or counts[place.part] <= most:
            kept.append(place)
    return kept


def _settings(root: Path, streams: Sequence[str]) -> Settings:
    file = root / SETTINGS
    settings = load_settings(file if file.is_file() else None)
    sync = replace(settings.sync, anchor=CAMERA)
    return replace(settings, sync=sync).reading(streams)


def _read(
    root: Path, places: Sequence[Place], network: Network, settings: MiniatureSettings
) -> dict[str, Any]:
    """Arrays of everything but the images."""
    heard = _settings(root, (CAMERA, IMU))
    imu = cast(ImuSettings, network.architecture.branch(IMU))
    rows: list[tuple[Any, ...]] = []
    for place in track(places, "reading recordings"):
        with Recording(place.path) as recording:
            labels = label_tracks(recording)
            seen = [
                o for o in observations(recording, heard, {IMU: imu.window}) if IMU in o.streams
            ]
        for observation, facts in _chosen(seen, labels, settings.schedule.per_activity):
            window = observation.streams[IMU].data
            rows.append((window, place.part, place.group, observation.stamp_ns, *facts))
    if not rows:
        raise DataError("no moment with an activity and an IMU window", where=str(root))
    columns = list(zip(*rows, strict=True))
    names = ("windows", "parts", "groups", "stamps_ns", ACTIVITY, MATERIAL, GRASP)
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}


def _chosen(
    seen: Sequence[Observation], labels: Mapping[str, Track], most: int
) -> Iterator[tuple[Observation, tuple[str, str, str]]]:
    """At most so many of each activity's interval, spread over it."""
    for interval in labels[ACTIVITY].intervals if ACTIVITY in labels else ():
        within = [o for o in seen if interval.start_ns + HELD_NS <= o.stamp_ns < interval.end_ns]
        count = min(len(within), most)
        for place in np.linspace(0, len(within) - 1, count).round().astype(int):
            stamp_ns = within[place].stamp_ns
            material, grasp = (
                labels[head].at(stamp_ns) if head in labels else "" for head in (MATERIAL, GRASP)
            )
            yield within[place], (interval.label, material, grasp)


def _batches(
    root: Path, places: Sequence[Place], found: Mapping[str, np.ndarray], image: Any
) -> Iterator[tuple[np.ndarray, ...]]:
    """Images in the order of the moments."""
    heard = _settings(root, (CAMERA,))
    waiting: list[np.ndarray] = []
    for place in places:
        wanted = set(found["stamps_ns"][found["groups"] == place.group].tolist())
        with Recording(place.path) as recording:
            for observation in observations(recording, heard, {}):
                if observation.stamp_ns in wanted:
                    seen = observation.streams[CAMERA].data
                    waiting.append(resize_image(seen, image.height, image.width))
                if len(waiting) == ENCODED:
                    yield (np.stack(waiting),)
                    waiting = []
    if waiting:
        yield (np.stack(waiting),)
