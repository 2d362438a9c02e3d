"""Recordings of a hand in small: what its IMU feels and its camera sees tell what it does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from xmodal_ros.data.fields import image_fields, imu_fields
from xmodal_ros.data.inertial import read_tracks
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.train.align.run import align, prepare
from xmodal_ros.train.align.settings import read_overrides

START_NS = 1_700_000_000_000_000_000
SECONDS = 8
COLOURS = {"idle": (200, 60, 40), "shake": (40, 90, 200)}
PARTS = ("train", "train", "train", "train", "validation", "test")
SMALL = (
    "vision.level=1", "vision.height=32", "vision.width=32", "vision.rows=2", "vision.columns=2",
    "vision.weights=random", "vision.dim=16", "imu.width=16", "imu.heads=2", "imu.depth=1",
    "imu.dropout=0", "imu.frame=sensor", "schedule.steps=60", "schedule.validate_every=20",
    "schedule.batch=32", "schedule.learning_rate=0.01", "windows.stride_s=0.2", "windows.turned=0",
)  # fmt: skip


def write_recording(path: Path, seed: int, seen: bool) -> None:
    """Half of the time idle, then shaking; 100 Hz of IMU, 5 Hz of images."""
    rng = np.random.default_rng(seed)
    entries = []
    for k in range(100 * SECONDS):
        at_s = k / 100
        shakes = at_s >= SECONDS / 2
        sample = rng.normal((0, 0, 9.81, 0, 0, 0), 0.05)
        sample[0] += 6.0 * shakes * np.sin(6.28 * 4 * at_s)
        stamp_ns = START_NS + k * 10_000_000
        fields = imu_fields(stamp_ns, "hand", sample)
        entries.append((stamp_ns, "/imu/data_raw", "sensor_msgs/msg/Imu", fields))
        if seen and k % 20 == 0:
            colour = np.array(COLOURS["shake" if shakes else "idle"])
            image = np.clip(colour + rng.normal(0, 10, (24, 32, 3)), 0, 255).astype(np.uint8)
            fields = image_fields(stamp_ns, "hand", image)
            entries.append((stamp_ns, "/camera/image_raw", "sensor_msgs/msg/Image", fields))
    for at_s, label in ((0, "idle"), (SECONDS / 2, "shake")):
        stamp_ns = START_NS + round(at_s * 1e9)
        entries.append((stamp_ns, "/labels/activity", "std_msgs/msg/String", {"data": label}))
    with RecordingWriter(path) as writer:
        for time_ns, topic, kind, fields in sorted(entries, key=lambda entry: entry[0]):
            writer.write(topic, kind, time_ns, fields)


def write_data(root: Path, seen: bool = True) -> Path:
    """Six recordings with a split."""
    rows = ["file,group,part,sha256"]
    for number, part in enumerate(PARTS):
        write_recording(root / f"run{number}", number, seen)
        rows.append(f"run{number},thing{number},{part},-")
    (root / "split.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("hand"))


@pytest.fixture(scope="session")
def blind_root(tmp_path_factory):
    """The same without a camera."""
    return write_data(tmp_path_factory.mktemp("blind"), seen=False)


@pytest.fixture(scope="session")
def settings():
    return read_overrides(SMALL)


@pytest.fixture(scope="session")
def examples(root, settings, tmp_path_factory):
    return prepare([read_tracks(root)], settings, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def run(examples, settings, tmp_path_factory):
    """A finished alignment, to look at."""
    return align(examples, ["hand"], tmp_path_factory.mktemp("run"), settings)
