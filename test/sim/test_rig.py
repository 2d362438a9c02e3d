"""The sensors of a drawn cell together."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.camera import CameraSettings
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.rig import Rig, RigSettings, WristCameraSettings
from xmodal_ros.sim.scene import SceneSettings, draw_scene
from xmodal_ros.sim.world import CLASSES

SMALL = RigSettings(
    camera=CameraSettings(width=48, height=48),
    camera_wrist=WristCameraSettings(width=48, height=48),
)


@pytest.fixture(scope="module")
def cell() -> Cell:
    return Cell(draw_scene(5, SceneSettings(person_share=1.0), np.random.default_rng(5)))


def test_every_stream_gives_its_kind(cell: Cell) -> None:
    rig = Rig(cell, np.random.default_rng(0), SMALL)
    assert rig.streams == ("camera", "camera_wrist", "tactile_left", "tactile_right", "lidar")
    for stream in ("camera", "camera_wrist"):
        assert rig.read(stream).shape == (48, 48, 3)
    touch = rig.read("tactile_left")
    assert (touch.image.shape, touch.contact.any()) == ((240, 320, 3), False)
    scan = rig.read("lidar")
    assert len(scan.points) == len(scan.labels) > 10_000
    assert {CLASSES[k] for k in np.unique(scan.labels)} == set(CLASSES)


def test_sensors_do_not_disturb_each_other(cell: Cell) -> None:
    def first_scan(*before: str) -> bytes:
        rig = Rig(cell, np.random.default_rng(0), SMALL)
        for stream in before:
            rig.read(stream)
        return bytes(rig.read("lidar").points.tobytes())

    assert first_scan() == first_scan("camera", "tactile_left", "camera_wrist")


def test_units_differ(cell: Cell) -> None:
    units = [Rig(cell, np.random.default_rng(s), SMALL).gel_units for s in (0, 1)]
    assert len({unit.id for pair in units for unit in pair.values()}) == 4


def test_frames_are_where_the_sensors_are(cell: Cell) -> None:
    rig = Rig(cell, np.random.default_rng(0), SMALL)
    frames = {frame.name: frame for frame in (*rig.fixed_frames(), *rig.moving_frames())}
    position, rotation = rig.cameras["camera"].pose(cell.data)
    camera = frames["camera_optical_frame"]
    assert camera.parent == "world"
    np.testing.assert_allclose(camera.pose[:3], position, atol=1e-9)
    np.testing.assert_allclose(_matrix(camera.pose[3:]), rotation, atol=1e-9)
    hand, wrist = frames["hand"].pose, frames["camera_wrist_optical_frame"]
    assert wrist.parent == "hand"
    place = hand[:3] + _matrix(hand[3:]) @ wrist.pose[:3]
    position, rotation = rig.cameras["camera_wrist"].pose(cell.data)
    np.testing.assert_allclose(place, position, atol=1e-9)
    np.testing.assert_allclose(_matrix(hand[3:]) @ _matrix(wrist.pose[3:]), rotation, atol=1e-9)
    assert {frames[name].parent for name in ("gel_left", "gel_right", "lidar")} == {"world"}
    assert frames["imu"].parent == "hand"


def test_without_the_wrist_camera(cell: Cell) -> None:
    settings = RigSettings(camera=SMALL.camera, camera_wrist=WristCameraSettings(enabled=False))
    rig = Rig(cell, np.random.default_rng(0), settings)
    text = r"sim: no sensor 'camera_wrist'; expected one of camera, tactile_left, tactile_right"
    with pytest.raises(SettingsError, match=text):
        rig.read("camera_wrist")


def _matrix(quaternion: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
