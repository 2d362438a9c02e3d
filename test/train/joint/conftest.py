"""A small data set of recordings with camera, gel, IMU and labels, and a bundle that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.splits import write_split
from xmodal_ros.data.visual_tactile import VisualTactile, open_dataset
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.train.joint.captions import caption
from xmodal_ros.train.joint.encoders import take
from xmodal_ros.train.joint.moments import Moments
from xmodal_ros.train.joint.recordings import read_moments
from xmodal_ros.train.joint.run import Material
from xmodal_ros.train.joint.settings import MomentSettings

PARTS = {"first": "train", "second": "train", "third": "validation", "fourth": "test"}
ACTIVITIES = ("reach", "press", "shake")
BEGIN_NS, EACH_S = 1_700_000_000_000_000_000, 1.6


@pytest.fixture(scope="session")
def cell(tmp_path_factory: pytest.TempPathFactory) -> VisualTactile:
    """Four recordings of three activities; a material is touched during the second."""
    root = tmp_path_factory.mktemp("joint") / "cell"
    rows = []
    for number, (name, part) in enumerate(PARTS.items()):
        write_recording(root / name, number)
        rows.append((f"{name}/{name}.mcap", name, part))
    write_split(root / "split.csv", root, rows)
    return open_dataset(root)


def write_recording(path: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    end_s = EACH_S * len(ACTIVITIES)
    events: list[tuple[float, str, str, dict[str, Any]]] = []
    for topic, rate_hz in (("camera/image_raw", 10), ("tactile_left/image_raw", 20)):
        for at_s in np.arange(0.0, end_s, 1 / rate_hz):
            colour = 40 + 60 * int(at_s / EACH_S)
            pixels = rng.integers(colour, colour + 20, 32 * 32 * 3, dtype=np.uint8)
            size = {"height": 32, "width": 32, "step": 96, "encoding": "rgb8", "data": pixels}
            events.append((at_s, f"/{topic}", "sensor_msgs/msg/Image", header(at_s) | size))
    for at_s in np.arange(0.0, end_s, 0.01):
        moved = np.sin(20.0 * int(at_s / EACH_S) * at_s) * np.ones(3) + rng.normal(0, 0.1, 3)
        fields = {
            "linear_acceleration": dict(zip("xyz", (moved + 9.8).tolist(), strict=True)),
            "angular_velocity": dict(zip("xyz", moved.tolist(), strict=True)),
        }
        events.append((at_s, "/imu/data_raw", "sensor_msgs/msg/Imu", header(at_s) | fields))
    said = [("activity", k * EACH_S, name) for k, name in enumerate(ACTIVITIES)]
    said += [("material", EACH_S, ("wood", "glass")[number % 2]), ("material", 2 * EACH_S, "")]
    for head, at_s, label in said:
        events.append((at_s, f"/labels/{head}", "std_msgs/msg/String", {"data": label}))
    with RecordingWriter(path) as writer:
        for at_s, topic, kind, fields in sorted(events, key=lambda event: event[0]):
            writer.write(topic, kind, BEGIN_NS + round(at_s * 1e9), fields)


def header(at_s: float) -> dict[str, Any]:
    stamp_ns = BEGIN_NS + round(at_s * 1e9)
    stamp = {"sec": stamp_ns // 10**9, "nanosec": stamp_ns % 10**9}
    return {"header": {"stamp": stamp, "frame_id": "f"}}


ARCHITECTURE: dict[str, Any] = {
    "dim": 16,
    "attention_heads": 2,
    "branches": {
        "camera": {
            "kind": "image", "backbone": "test_efficientnet", "height": 32, "width": 32,
            "level": 1, "rows": 2, "columns": 2,
        },
        "gel": {
            "kind": "gel", "backbone": "test_efficientnet", "height": 24, "width": 32,
            "level": 1, "rows": 1, "columns": 2, "difference": "none", "frames": 2,
            "spacing_s": 0.1,
        },
        "imu": {
            "kind": "imu", "samples": 32, "rate_hz": 50.0, "patch": 8, "stride": 8, "width": 16,
            "depth": 1, "heads": 2,
        },
    },
    "streams": {"camera": "camera", "tactile_left": "gel", "imu": "imu"},
    "heads": {"material": {"classes": 2, "streams": ["camera", "tactile_left", "imu"]}},
}  # fmt: skip


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of random weights that reads camera, one gel and IMU."""
    import torch

    from xmodal_ros.nn.network import build_network
    from xmodal_ros.runtime.manifest import HeadCard
    from xmodal_ros.runtime.save import save_bundle

    torch.manual_seed(0)
    return save_bundle(
        tmp_path_factory.mktemp("bundles") / "senses",
        name="senses",
        network=build_network(ARCHITECTURE),
        architecture=ARCHITECTURE,
        heads={"material": HeadCard("material", ("wood", "glass"))},
        licence="MIT",
        card="# senses\n",
    )


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def moments(cell: VisualTactile, bundle: Bundle, cache: Path) -> Moments:
    return read_moments(cell, take([bundle]), MomentSettings(), cache)


@pytest.fixture(scope="session")
def material(moments: Moments, bundle: Bundle) -> Material:
    captions = caption(moments.facts)
    texts = np.random.default_rng(0).normal(size=(len(captions.texts), 384)).astype(np.float32)
    return Material(moments, captions, texts, take([bundle]), "cell")
