"""Test items through the serving path: the synchronizer, then the Predictor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.progress import track

from xmodal_ros.core.settings import InferenceSettings, StreamSettings, SyncSettings
from xmodal_ros.core.sync import EventClock, Synchronizer
from xmodal_ros.core.types import Observation, Sample
from xmodal_ros.core.windows import Window
from xmodal_ros.data.gelsight_slip import FINGERS, RATE_HZ, GelsightSlip
from xmodal_ros.data.imu_activity import ImuActivity
from xmodal_ros.data.material_photos import MaterialPhotos
from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.train import activity, grasp, material

START_NS = 1_000_000_000
Item = tuple[Observation, int]
"""An observation and its true class."""


def answers(
    bundle: Bundle, data_root: Path, settings: InferenceSettings
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Probabilities `(N, C)` and labels `(N,)` of the test part by head."""
    made = {}
    with Predictor(bundle, settings) as predictor:
        for head, items in ITEMS.items():
            probabilities, labels = [], []
            for observation, label in track(items(bundle, data_root), f"serving {head}"):
                probabilities.append(predictor.predict(observation).heads[head].probabilities)
                labels.append(label)
            made[head] = np.stack(probabilities), np.array(labels)
    return made


def observe(
    streams: list[StreamSettings], windows: dict[str, Window], samples: list[tuple[str, Sample]]
) -> list[Observation]:
    """Put samples, sorted by stamp, through a synchronizer whose anchor is the first stream."""
    sync = SyncSettings()
    synchronizer = Synchronizer(streams, windows, sync, streams[0].name)
    clock = EventClock(sync)
    found = []
    for name, sample in samples:
        found += synchronizer.push(name, sample, clock.advance(name, sample.stamp_ns))
    return found + synchronizer.flush()


def grasp_items(bundle: Bundle, root: Path) -> Iterator[Item]:
    """Both fingers at 25 Hz and full size; the observation of the last frame."""
    data = GelsightSlip(root / grasp.SPLIT)
    held_out = set(load_split(FOLDER / f"{grasp.SPLIT}.csv").groups("test"))
    streams = [StreamSettings(name=name, modality="tactile") for name in grasp.STREAMS]
    windows = {s.name: bundle.windows()[s.name] for s in streams}
    for item in (g for g in data.grasps if g.object in held_out):
        clips = [data.clip(item.name, finger) for finger in FINGERS]
        samples = [
            (stream.name, Sample(START_NS + round(t * 1e9 / RATE_HZ), "", clip[t]))
            for t in range(len(clips[0]))
            for stream, clip in zip(streams, clips, strict=True)
        ]
        yield observe(streams, windows, samples)[-1], int(not item.slip)


def material_items(bundle: Bundle, root: Path) -> Iterator[Item]:
    """One photo at its own size."""
    data = MaterialPhotos(root / material.SPLIT)
    held_out = set(load_split(FOLDER / f"{material.SPLIT}.csv").groups("test"))
    labels = bundle.heads["material"].labels
    streams = [StreamSettings(name="camera", modality="camera")]
    for tile in (t for t in data.tiles if t.name in held_out):
        samples = [("camera", Sample(START_NS, "", data.image(tile)))]
        yield observe(streams, {}, samples)[0], labels.index(tile.category)


def activity_items(bundle: Bundle, root: Path) -> Iterator[Item]:
    """Raw samples of a watch at about 100 Hz; observations at the ends of the scored units.

    The anchor is an empty picture at a unit's end.
    """
    data = ImuActivity(root / activity.SPLIT)
    people = load_split(FOLDER / f"{activity.SPLIT}.csv").groups("test")
    streams = [
        StreamSettings(name="anchor", modality="camera"),
        StreamSettings(name="imu", modality="imu"),
    ]
    windows = {"imu": bundle.windows()["imu"]}
    blank = np.zeros((8, 8, 3), np.uint8)
    for run in (r for person in people for r in data.runs(person)):
        ends, labels = activity.scored_units(run, len(data.labels))
        stamps = run.stamps_ns - run.stamps_ns[0] + START_NS
        samples = [
            ("imu", Sample(int(s), "", row)) for s, row in zip(stamps, run.data, strict=True)
        ]
        samples += [("anchor", Sample(START_NS + round(e * 1e9), "", blank)) for e in ends]
        samples.sort(key=lambda pair: pair[1].stamp_ns)
        found = {o.stamp_ns: o for o in observe(streams, windows, samples)}
        for end, label in zip(ends, labels, strict=True):
            yield found[START_NS + round(end * 1e9)], int(label)


ITEMS = {"grasp": grasp_items, "material": material_items, "activity": activity_items}
