"""Messages of both libraries, and small recordings."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xmodal_ros.data.fields import cloud_fields, image_fields, imu_fields
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.typestore import default_typestore, make_message

START_NS = 1_700_000_000_000_000_000


def _rosbags(type_name: str, fields: Mapping[str, Any]) -> Any:
    store = default_typestore()
    message = make_message(store, type_name, fields)
    return store.deserialize_cdr(bytes(store.serialize_cdr(message, type_name)), type_name)


def _rclpy(type_name: str, fields: Mapping[str, Any]) -> Any:
    package, _, name = type_name.partition("/msg/")
    cls = getattr(importlib.import_module(f"{package}.msg"), name)
    message = cls()
    types = cls.get_fields_and_field_types()
    for field, value in fields.items():
        kind = types[field].replace("/", "/msg/")
        if isinstance(value, Mapping):
            value = _rclpy(kind, value)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            value = [_rclpy(kind.partition("<")[2].rstrip(">"), item) for item in value]
        elif kind == "sequence<uint8>":
            getattr(message, field).frombytes(bytes(value))
            continue
        setattr(message, field, value)
    return message


@pytest.fixture(params=["rosbags", "rclpy"])
def build(request: pytest.FixtureRequest) -> Callable[[str, Mapping[str, Any]], Any]:
    """Make a message object of either library from nested fields."""
    if request.param == "rclpy":
        pytest.importorskip("sensor_msgs.msg", reason="no ROS here")
        return _rclpy
    return _rosbags


@pytest.fixture
def rosbags_message() -> Callable[[str, Mapping[str, Any]], Any]:
    """Make a message object of rosbags from nested fields."""
    return _rosbags


def _write(path: Path, storage: str = "mcap", frames: int = 20, **changes: Any) -> Path:
    """Both gels and a camera at 25 Hz, an IMU at 100 Hz, a LiDAR and a label, all of it noise.

    `changes` replaces the fields of every left gel image.
    """
    random = np.random.default_rng(0)
    with RecordingWriter(path, storage=storage, metadata={"note": "a test"}) as writer:
        for k in range(4 * frames):
            stamp_ns = START_NS + k * 10_000_000
            write = writer.write
            sample = random.normal(size=6).astype(np.float32)
            write(
                "/imu/data_raw", "sensor_msgs/msg/Imu", stamp_ns, imu_fields(stamp_ns, "i", sample)
            )
            if k % 4 == 0:
                for name in ("tactile_left", "tactile_right", "camera"):
                    image = random.integers(0, 256, (96, 128, 3), np.uint8)
                    fields = image_fields(stamp_ns, name, image)
                    fields |= changes if name == "tactile_left" else {}
                    write(f"/{name}/image_raw", "sensor_msgs/msg/Image", stamp_ns, fields)
            if k % 10 == 0:
                points = random.uniform(0, 1, (50, 4)).astype(np.float32)
                fields = cloud_fields(stamp_ns, "l", points)
                write("/lidar/points", "sensor_msgs/msg/PointCloud2", stamp_ns, fields)
        writer.write("/labels/grasp", "std_msgs/msg/String", START_NS, {"data": "success"})
    return path


@pytest.fixture
def write_recording() -> Callable[..., Path]:
    """Write a small recording of the default streams: `(path, storage, frames, **left gel)`."""
    return _write


@pytest.fixture
def start_ns() -> int:
    """Stamp of the first message of `write_recording`."""
    return START_NS
