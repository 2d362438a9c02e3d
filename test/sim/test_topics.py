"""Readings as messages, written to a recording and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.data.decode import decode_compressed, decode_image
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.sim.camera import CameraSettings
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.gel import GelFrame
from xmodal_ros.sim.lidar import Scan
from xmodal_ros.sim.rig import Rig, RigSettings, WristCameraSettings
from xmodal_ros.sim.scene import SceneSettings, draw_scene
from xmodal_ros.sim.topics import Encoder, TopicSettings, stream_settings

STAMP_NS = 1_700_000_000_123_456_789


@pytest.fixture(scope="module")
def rig() -> Rig:
    cell = Cell(draw_scene(5, SceneSettings(objects=1), np.random.default_rng(5)))
    settings = RigSettings(
        camera=CameraSettings(width=64, height=48), camera_wrist=WristCameraSettings(enabled=False)
    )
    return Rig(cell, np.random.default_rng(0), settings)


def _written(path: Path, rig: Rig, stream: str, data: object, quality: int = 95) -> dict:
    """What one reading becomes, by topic, read back from a recording."""
    encoder = Encoder(rig, TopicSettings(jpeg_quality=quality))
    with RecordingWriter(path / "recording") as writer:
        for topic, kind, fields in encoder.encode(stream, STAMP_NS, data):
            writer.write(topic, kind, STAMP_NS, fields)
    with Recording(path / "recording") as recording:
        return {m.topic: m.message for m in recording.messages()}


def test_a_picture_and_its_intrinsics(tmp_path: Path, rig: Rig) -> None:
    image = rig.read("camera")
    messages = _written(tmp_path, rig, "camera", image)
    packed, info = messages["/camera/image_raw/compressed"], messages["/camera/camera_info"]
    assert np.abs(decode_compressed(packed).astype(int) - image).mean() < 4
    assert (info.width, info.height, info.distortion_model) == (64, 48, "plumb_bob")
    matrix = rig.cameras["camera"].matrix
    np.testing.assert_array_equal(info.k.reshape(3, 3), matrix)
    np.testing.assert_array_equal(info.p.reshape(3, 4)[:, :3], matrix)
    assert info.header.frame_id == packed.header.frame_id == "camera_optical_frame"
    assert info.header.stamp == packed.header.stamp
    assert (packed.header.stamp.sec, packed.header.stamp.nanosec) == divmod(STAMP_NS, 10**9)


def test_raw_images_are_exact(tmp_path: Path, rig: Rig) -> None:
    image = rig.read("camera")
    messages = _written(tmp_path, rig, "camera", image, quality=0)
    np.testing.assert_array_equal(decode_image(messages["/camera/image_raw"]), image)


def test_jpeg_keeps_the_resolution_of_colours(tmp_path: Path, rig: Rig) -> None:
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 60, 60), (60, 60, 200)
    touch = GelFrame(stripes, np.eye(16, dtype=bool))
    messages = _written(tmp_path, rig, "tactile_left", touch)
    decoded = decode_compressed(messages["/tactile_left/image_raw/compressed"])
    assert np.abs(decoded.astype(int) - stripes).mean() < 10
    mask = decode_image(messages["/truth/contact/tactile_left"])
    np.testing.assert_array_equal(mask, np.eye(16))


def test_a_scan_and_the_classes_of_its_points(tmp_path: Path, rig: Rig) -> None:
    points = np.arange(12, dtype=np.float32).reshape(3, 4)
    messages = _written(tmp_path, rig, "lidar", Scan(points, np.array([2, 0, 5], np.uint8)))
    cloud, classes = messages["/lidar/points"], messages["/truth/classes/lidar"]
    np.testing.assert_array_equal(cloud.data.view(np.float32).reshape(3, 4), points)
    np.testing.assert_array_equal(decode_image(classes), [[2, 0, 5]])
    assert classes.header.stamp == cloud.header.stamp


def test_a_pose_and_a_label(tmp_path: Path, rig: Rig) -> None:
    pose = np.array([1, 2, 3, 0.5, 0.1, -0.7, 0.5])
    made = _written(tmp_path, rig, "poses/object_0", pose)["/truth/poses/object_0"].pose
    assert (made.position.x, made.position.y, made.position.z) == (1, 2, 3)
    turn = made.orientation
    assert (turn.w, turn.x, turn.y, turn.z) == (0.5, 0.1, -0.7, 0.5)
    label = _written(tmp_path / "second", rig, "labels/material", "wood")
    assert label["/labels/material"].data == "wood"


def test_frames(tmp_path: Path, rig: Rig) -> None:
    encoder = Encoder(rig, TopicSettings())
    (fixed,), (moving,) = encoder.fixed_frames(STAMP_NS), encoder.frames(STAMP_NS)
    assert (fixed.topic, moving.topic) == ("/tf_static", "/tf")
    named = {
        (t["header"]["frame_id"], t["child_frame_id"])
        for message in (fixed, moving)
        for t in message.fields["transforms"]
    }
    assert named == {
        ("world", "camera_optical_frame"), ("world", "lidar"), ("hand", "imu"),
        ("world", "hand"), ("world", "gel_left"), ("world", "gel_right"),
    }  # fmt: skip


def test_raw_images_need_no_settings() -> None:
    streams = stream_settings(TopicSettings(jpeg_quality=0))["streams"]
    assert set(map(str, streams.values())) == {"{}"}


def test_the_camera_at_the_hand_can_be_the_camera() -> None:
    raw = stream_settings(TopicSettings(jpeg_quality=0), "camera_wrist")["streams"]
    assert raw["camera"] == {"topic": "camera_wrist/image_raw"}
    packed = stream_settings(TopicSettings(), "camera_wrist")["streams"]
    assert packed["camera"]["topic"] == "camera_wrist/image_raw/compressed"
    assert "tolerance_s" not in packed["camera"]
    rates_hz = {"camera": 30.0, "camera_wrist": 5.0, "lidar": 0.5}
    slow = stream_settings(TopicSettings(), "camera_wrist", rates_hz)["streams"]
    assert slow["camera"]["tolerance_s"] == 0.11
    assert slow["lidar"] == {"tolerance_s": 2.2}
