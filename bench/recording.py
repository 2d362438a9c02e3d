"""Row `recording`: a recording into observations, beside only deserializing its messages."""

from __future__ import annotations

import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from bench.row import Row, compare, side_by_side
from bench.timelines import timeline
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.windows import Clip, Resampled, Window
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.data.replay import observations

SECONDS = 2.0
REPEATS = 5
FLOAT32 = 7
SETTINGS = Settings.from_mapping(
    {
        "streams": {
            name: {"modality": name, "topic": f"/{name}"}
            for name in ("tactile", "camera", "imu", "lidar")
        }
    }
)
WINDOWS: dict[str, Window] = {"tactile": Clip(12, 0.16), "imu": Resampled(128, 50.0)}


def recording() -> Row:
    """51 MB/s of four sensors, from MCAP."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        messages = _write(path)
        ours, theirs = side_by_side(
            lambda: _observations(path), lambda: _deserialize(path), REPEATS
        )
    return compare(
        "recording",
        "recording to observations (decode, synchronize, clips of 12 gel images), per message",
        "rosbags deserializing the same messages",
        ours,
        theirs,
        unit="µs",
        scale=1e6 / messages,
        at_most=1 / 0.7,
        note="the bound is 0.7 of its speed",
    )


def _observations(path: Path) -> None:
    with Recording(path) as source:
        deque(observations(source, SETTINGS, WINDOWS), maxlen=0)


def _deserialize(path: Path) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    with Reader(path) as reader:
        for connection, _, data in reader.messages():
            store.deserialize_cdr(data, connection.msgtype)


def _write(path: Path) -> int:
    """Write the sensors' messages and return how many."""
    rng = np.random.default_rng(0)
    vector = {"x": 0.1, "y": 0.2, "z": 9.8}
    images = {n: rng.integers(60, 180, s).astype(np.uint8) for n, s in SHAPES.items()}
    cloud = rng.random((60_000, 4), np.float32).view(np.uint8).reshape(-1)
    fields = [
        {"name": n, "offset": 4 * i, "datatype": FLOAT32, "count": 1}
        for i, n in enumerate(("x", "y", "z", "intensity"))
    ]
    bodies: dict[str, dict[str, Any]] = {
        "imu": {"angular_velocity": vector, "linear_acceleration": vector},
        "lidar": {
            "height": 1,
            "width": 60_000,
            "fields": fields,
            "point_step": 16,
            "row_step": 960_000,
            "data": cloud,
        },
    }
    for name, image in images.items():
        height, width, _ = image.shape
        size = {"height": height, "width": width, "step": 3 * width}
        bodies[name] = {**size, "encoding": "rgb8", "data": image.reshape(-1)}
    types = {s.name: s.message_type for s in SETTINGS.streams}
    messages = timeline(SECONDS)
    with RecordingWriter(path) as writer:
        for name, stamp_ns in messages:
            stamp = {"sec": stamp_ns // 10**9, "nanosec": stamp_ns % 10**9}
            header = {"stamp": stamp, "frame_id": name}
            fields_of = {"header": header, **bodies[name]}
            writer.write(f"/{name}", types[name], stamp_ns, fields_of)
    return len(messages)


SHAPES = {"tactile": (240, 320, 3), "camera": (480, 640, 3)}
