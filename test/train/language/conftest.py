"""A small data set of recordings in which activities differ in colour and in motion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.splits import write_split
from xmodal_ros.train.language.settings import MiniatureSettings, read_overrides

PARTS = {"first": "train", "second": "train", "third": "validation", "fourth": "test"}
ACTIVITIES = ("idle", "shake", "lift", "collision")
BEGIN_NS, EACH_S = 1_700_000_000_000_000_000, 1.4
SMALL = (
    "encoder.backbone=test_efficientnet", "encoder.weights=random", "encoder.level=1",
    "encoder.size=32", "encoder.grid=2", "encoder.dim=32", "encoder.imu_width=32",
    "encoder.imu_depth=1", "reader.latents=4", "reader.depth=1", "reader.heads=2",
    "reader.head_dim=8", "decoder.width=32", "decoder.depth=1", "decoder.heads=2",
    "decoder.vocabulary=300", "schedule.look_steps=3", "schedule.steps=4",
    "schedule.align_steps=3", "schedule.adapter_steps=3", "schedule.head_steps=3",
    "schedule.batch=8",
    "schedule.align_batch=8", "schedule.look_batch=8",
)  # fmt: skip


@pytest.fixture(scope="session")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings of four activities, with `split.csv`."""
    root = tmp_path_factory.mktemp("language") / "cell"
    rows = []
    for number, (name, part) in enumerate(PARTS.items()):
        write_recording(root / name, number)
        rows.append((f"{name}/{name}.mcap", name, part))
    write_split(root / "split.csv", root, rows)
    return root


@pytest.fixture(scope="session")
def small() -> MiniatureSettings:
    return read_overrides(SMALL)


def write_recording(path: Path, number: int) -> None:
    """Camera at 5 Hz, IMU at 100 Hz, and labels; something is touched while it is lifted."""
    rng = np.random.default_rng(number)
    end_s = EACH_S * len(ACTIVITIES)
    events: list[tuple[float, str, str, dict[str, Any]]] = []
    for at_s in np.arange(0.002, end_s, 0.2):
        colour = 40 + 50 * int(at_s / EACH_S)
        pixels = rng.integers(colour, colour + 20, 32 * 32 * 3, dtype=np.uint8)
        size = {"height": 32, "width": 32, "step": 96, "encoding": "rgb8", "data": pixels}
        events.append((at_s, "/camera/image_raw", "sensor_msgs/msg/Image", header(at_s) | size))
    for at_s in np.arange(0.0, end_s, 0.01):
        moved = np.sin(20.0 * int(at_s / EACH_S) * at_s) * np.ones(3) + rng.normal(0, 0.1, 3)
        fields = {
            "linear_acceleration": dict(zip("xyz", (moved + 9.8).tolist(), strict=True)),
            "angular_velocity": dict(zip("xyz", moved.tolist(), strict=True)),
        }
        events.append((at_s, "/imu/data_raw", "sensor_msgs/msg/Imu", header(at_s) | fields))
    material = ("wood", "glass")[number % 2]
    said = [("activity", k * EACH_S, name) for k, name in enumerate(ACTIVITIES)]
    said += [
        ("material", 0.0, ""),
        ("material", 2 * EACH_S, material),
        ("material", 3 * EACH_S, ""),
    ]
    said += [("grasp", 2 * EACH_S, "success"), ("grasp", 3 * EACH_S, "")]
    for head, at_s, label in said:
        events.append((at_s, f"/labels/{head}", "std_msgs/msg/String", {"data": label}))
    with RecordingWriter(path) as writer:
        for at_s, topic, kind, fields in sorted(events, key=lambda event: event[0]):
            writer.write(topic, kind, BEGIN_NS + round(at_s * 1e9), fields)


def header(at_s: float) -> dict[str, Any]:
    stamp_ns = BEGIN_NS + round(at_s * 1e9)
    stamp = {"sec": stamp_ns // 10**9, "nanosec": stamp_ns % 10**9}
    return {"header": {"stamp": stamp, "frame_id": "f"}}
