"""The demonstration recording from the shared recordings: streams of several places, one clock.

It holds real GelSight clips of both fingers, a watch's IMU, material photos and LiDAR scans, only
of test splits. The recording's metadata names them.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from xmodal_ros.core.settings import DEFAULT_STREAMS
from xmodal_ros.data.encode import Fields
from xmodal_ros.data.fields import cloud_fields, image_fields, imu_fields
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.splits import FOLDER
from xmodal_ros.data.stitch.shared import shared_scene

START_NS = 1_700_000_000_000_000_000
_TOPICS = {stream.name: (f"/{stream.topic}", stream.message_type) for stream in DEFAULT_STREAMS}
_STREAMS: dict[str, tuple[float, str, Callable[[int, str, np.ndarray], Fields]]] = {
    "camera": (15e-3, "camera_optical_frame", image_fields),
    "tactile_left": (4e-3, "gel_left", image_fields),
    "tactile_right": (4e-3, "gel_right", image_fields),
    "imu": (1e-3, "watch", imu_fields),
    "lidar": (30e-3, "lidar", cloud_fields),
}
"""Time in seconds from stamp to log (read-out and transport), frame, and maker of the message."""


def record_shared(out: Path, shared: Path, *, seed: int = 0, splits: Path = FOLDER) -> Path:
    """Write the demonstration recording, the same bytes for the same seed.

    Args:
        out: Folder to make.
        shared: Folder of the shared recordings.
        seed: Which items are taken, and the jitter of stamps.
        splits: Folder of the splits; only items of their test parts are taken.

    Raises:
        DataError: `out` exists, or a file of the shared recordings is missing.
    """
    scene = shared_scene(shared, splits, seed)
    sources = [_stream(name, data, seed) for name, data in scene.streams.items()]
    sources += [_labels(head, entries) for head, entries in scene.labels.items()]
    with RecordingWriter(out, metadata=scene.metadata, compress=True) as writer:
        for time_ns, topic, kind, fields in heapq.merge(*sources, key=lambda event: event[0]):
            writer.write(topic, kind, time_ns, fields)
    return out


def _stream(
    name: str, data: Iterator[tuple[float, np.ndarray]], seed: int
) -> Iterator[tuple[int, str, str, Fields]]:
    random = np.random.default_rng([seed, len(name), *name.encode()])
    topic, kind = _TOPICS[name]
    latency_s, frame_id, fields = _STREAMS[name]
    last_ns = 0
    for stamp_s, array in data:
        stamp_ns = START_NS + round(stamp_s * 1e9)
        delay_s = latency_s * (1 + random.exponential(0.1))
        last_ns = max(last_ns, stamp_ns + round(delay_s * 1e9))  # a topic keeps its order
        yield last_ns, topic, kind, fields(stamp_ns, frame_id, array)


def _labels(head: str, entries: list[tuple[float, str]]) -> Iterator[tuple[int, str, str, Fields]]:
    for time_s, label in entries:
        time_ns = START_NS + round(time_s * 1e9)
        yield time_ns, f"/labels/{head}", "std_msgs/msg/String", {"data": label}
