"""The sensors of one cell: a drawn unit of each, read by the name of its stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import mujoco
import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim import gel, gel_unit
from xmodal_ros.sim.camera import Camera, CameraSettings, draw_camera_unit
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.contact import height_field
from xmodal_ros.sim.lidar import Lidar, LidarSettings, draw_lidar_unit
from xmodal_ros.sim.shading import Lighting, Painter

WORK_M = (0.05, 0.0, 0.0)
"""Middle of the working area."""
WORK_RADIUS_M = 0.6
"""Within it things cast shadows."""
CAMERAS = {"camera": "cell", "camera_wrist": "wrist"}
"""Name in the scene, by stream."""
FINGERS = {"tactile_left": "left", "tactile_right": "right"}


@dataclass(frozen=True)
class WristCameraSettings(CameraSettings):
    """The pictures of the camera at the hand."""

    enabled: bool = setting(True, "whether there is one")


@dataclass(frozen=True)
class GelSettings:
    """The images of both gels."""

    width: int = setting(320, "width of a gel image", unit="px", low=32, high=1280)
    height: int = setting(240, "height of a gel image", unit="px", low=24, high=960)

    def __post_init__(self) -> None:
        validate(self, "gel")


@dataclass(frozen=True)
class RigSettings:
    """Which sensors there are, and the size of what they give."""

    camera: CameraSettings = field(default_factory=CameraSettings)
    """Of the cell."""
    camera_wrist: WristCameraSettings = field(default_factory=WristCameraSettings)
    """At the hand."""
    gel: GelSettings = field(default_factory=GelSettings)
    lidar: LidarSettings = field(default_factory=LidarSettings)


class Frame(NamedTuple):
    """Where a frame is."""

    parent: str
    name: str
    pose: np.ndarray
    """`(7,)` in the parent: position in metres, quaternion (w, x, y, z)."""


class Rig:
    """Sensors at a cell.

    Args:
        cell: The cell, in its first state.
        rng: Draws the units, and the noise of each sensor from a stream of its own.
        settings: Which sensors.
    """

    def __init__(self, cell: Cell, rng: np.random.Generator, settings: RigSettings) -> None:
        self._cell = cell
        model, data = cell.model, cell.data
        painter = Painter(model, cell.surfaces)
        lighting = Lighting(model, data, np.array(WORK_M), WORK_RADIUS_M)
        sizes: dict[str, CameraSettings] = {"camera": settings.camera}
        if settings.camera_wrist.enabled:
            sizes["camera_wrist"] = settings.camera_wrist
        self.cameras = {
            stream: Camera(
                model, data, CAMERAS[stream], painter, lighting, draw_camera_unit(rng), size
            )
            for stream, size in sizes.items()
        }
        self.lidar = Lidar(
            model,
            "lidar",
            cell.classes,
            _reflectivity(cell),
            draw_lidar_unit(rng, settings.lidar),
            settings.lidar,
        )
        self.gel_units: Mapping[str, gel_unit.GelUnit] = {
            stream: gel_unit.draw_unit(rng) for stream in FINGERS
        }
        self._gels = {
            stream: gel.Renderer(unit, (settings.gel.height, settings.gel.width))
            for stream, unit in self.gel_units.items()
        }
        self.streams = (*self.cameras, *self._gels, "lidar")
        """Names that `read` knows."""
        self._noise = dict(zip(self.streams, rng.spawn(len(self.streams)), strict=True))

    def read(self, stream: str) -> Any:
        """What a sensor gives now.

        Returns:
            Of a camera the picture `(H, W, 3) uint8` RGB, of a finger a `gel.GelFrame`, of the
            LiDAR a `lidar.Scan`.

        Raises:
            SettingsError: no such sensor.
        """
        if stream not in self.streams:
            raise SettingsError(
                f"no sensor '{stream}'", where="sim", expected="one of " + ", ".join(self.streams)
            )
        data, noise = self._cell.data, self._noise[stream]
        if stream in self.cameras:
            return self.cameras[stream].render(data, noise)
        if stream in self._gels:
            return self._touch(stream, noise)
        return self.lidar.scan(data, noise)

    def fixed_frames(self) -> list[Frame]:
        """Frames of the sensors that stay where they are, in the world or at the hand."""
        data, frames = self._cell.data, []
        hand = data.body("hand").xpos, data.body("hand").xmat.reshape(3, 3)
        world = np.zeros(3), np.eye(3)
        at = {"camera": ("world", world), "camera_wrist": ("hand", hand)}
        for stream, camera in self.cameras.items():
            parent, place = at[stream]
            frames.append(_frame(parent, place, f"{stream}_optical_frame", camera.pose(data)))
        frames.append(_frame("world", world, "lidar", self.lidar.pose(data)))
        imu = data.site("imu")
        frames.append(_frame("hand", hand, "imu", (imu.xpos, imu.xmat.reshape(3, 3))))
        return frames

    def moving_frames(self) -> list[Frame]:
        """Frames of the hand and of the gels, in the world, as they are now."""
        hand, world = self._cell.data.body("hand"), (np.zeros(3), np.eye(3))
        places = {"hand": (hand.xpos, hand.xmat.reshape(3, 3))}
        for finger, pad in self._cell.pads().items():
            places[f"gel_{finger}"] = pad.position, pad.rotation
        return [_frame("world", world, name, place) for name, place in places.items()]

    def _touch(self, stream: str, noise: np.random.Generator) -> gel.GelFrame:
        pad, renderer = self._cell.pads()[FINGERS[stream]], self._gels[stream]
        if not pad.geoms:
            return renderer.idle(noise)
        cell = self._cell
        depth = height_field(cell.model, cell.data, pad, cell.surfaces, renderer.shape)
        return renderer.render(depth, pad.shear, noise)


def _frame(
    parent: str,
    origin: tuple[np.ndarray, np.ndarray],
    name: str,
    place: tuple[np.ndarray, np.ndarray],
) -> Frame:
    """The frame of a place, given in the world as its parent is: position and rotation."""
    pose = np.zeros(7)
    pose[:3] = origin[1].T @ (place[0] - origin[0])
    mujoco.mju_mat2Quat(pose[3:], np.ascontiguousarray(origin[1].T @ place[1]).reshape(-1))
    return Frame(parent, name, pose)


def _reflectivity(cell: Cell) -> np.ndarray:
    """Share of light that each geom sends back, `(ngeom,)`: its surface's, else of its colour."""
    shares: np.ndarray = cell.model.geom_rgba[:, :3].mean(axis=1)
    for geom, surface in cell.surfaces.items():
        shares[geom] = surface.reflectivity
    return shares
