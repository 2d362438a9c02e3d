"""The simulated colour camera: the scene's light through a pinhole onto an imperfect sensor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import mujoco
import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.rays import cast
from xmodal_ros.sim.shading import Lighting, Painter
from xmodal_ros.sim.view import Pinhole, View

_LEVELS = 4096
"""The sensor counts light in 12 bits; the picture has 8, on the curve of sRGB."""
_OPTICAL = np.diag([1.0, -1.0, -1.0])
"""From the frame of ROS's pictures (x right, y down, z forward) to MuJoCo's cameras."""


@dataclass(frozen=True)
class CameraSettings:
    """The pictures of one camera."""

    width: int = setting(224, "width of the picture", unit="px", low=16, high=4096)
    height: int = setting(224, "height of the picture", unit="px", low=16, high=4096)

    def __post_init__(self) -> None:
        validate(self, "camera")


@dataclass(frozen=True, slots=True)
class CameraUnit:
    """One camera of a series: what differs from one to the next."""

    exposure: float
    """Mean of the first picture, as a share of the sensor's full scale."""
    white: tuple[float, float, float]
    """Gains of red, green and blue."""
    blur_px: float
    """Standard deviation of a point's image."""
    vignette: float
    """Share of light lost in the corners."""
    shot: float
    """Variance of the noise per light, both as shares of full scale."""
    read: float
    """Standard deviation of the noise in the dark."""


def draw_camera_unit(rng: np.random.Generator) -> CameraUnit:
    """A camera as they come: cheap ones to good ones."""
    red, blue = rng.uniform(0.9, 1.1, 2)
    return CameraUnit(
        exposure=rng.uniform(0.12, 0.3),
        white=(red, 1.0, blue),
        blur_px=rng.uniform(0.35, 0.9),
        vignette=rng.uniform(0.0, 0.25),
        shot=10 ** rng.uniform(-4.3, -3.3),
        read=10 ** rng.uniform(-3.3, -2.5),
    )


class Camera:
    """A camera of the scene.

    Args:
        model: The scene.
        data: Its state.
        name: Of a camera in the scene. What one that is fixed to the world sees of fixed geoms is
            cast and shaded once.
        painter: Looks of the scene's geoms.
        lighting: Its lights, shared by cameras.
        unit: The sensor.
        settings: Size of the picture.

    Raises:
        SettingsError: the scene has no such camera.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        name: str,
        painter: Painter,
        lighting: Lighting,
        unit: CameraUnit,
        settings: CameraSettings,
    ) -> None:
        known = [model.camera(k).name for k in range(model.ncam)]
        if name not in known:
            raise SettingsError(
                f"no camera '{name}'", where="camera", expected="one of " + ", ".join(known)
            )
        self._id = known.index(name)
        self._model, self._painter, self._lighting = model, painter, lighting
        self._shape = settings.height, settings.width
        fov_y = np.radians(model.cam_fovy[self._id])
        self._pinhole = Pinhole.from_fov(settings.width, settings.height, fov_y)
        self._sensor = Sensor(unit, self._shape)
        fixed = model.body_weldid[model.cam_bodyid[self._id]] == 0
        self._backdrop = Backdrop(self._view(data), data, painter, lighting) if fixed else None

    @property
    def matrix(self) -> np.ndarray:
        """Intrinsics `(3, 3)`; pixel (0, 0) is the centre of the first pixel, as in ROS."""
        height, width = self._shape
        focal = self._pinhole.focal_px
        return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])

    def pose(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """Position `(3,)` and rotation `(3, 3)` in the world of the frame of its pictures."""
        rotation = data.cam_xmat[self._id].reshape(3, 3)
        return data.cam_xpos[self._id].copy(), rotation @ _OPTICAL

    def render(self, data: mujoco.MjData, rng: np.random.Generator) -> np.ndarray:
        """The picture `(H, W, 3) uint8` RGB."""
        return self._sensor.expose(self.radiance(data), rng)

    def radiance(self, data: mujoco.MjData) -> np.ndarray:
        """Linear light on every pixel, `(H, W, 3) float32`, before lens and sensor."""
        self._lighting.look(data)
        light = self._backdrop.light(data) if self._backdrop else self._light_anew(data)
        return light.reshape(*self._shape, 3)

    def _view(self, data: mujoco.MjData) -> View:
        rotation = data.cam_xmat[self._id].reshape(3, 3)
        return View(self._model, data, self._pinhole, data.cam_xpos[self._id], rotation)

    def _light_anew(self, data: mujoco.MjData) -> np.ndarray:
        rotation = data.cam_xmat[self._id].reshape(3, 3)
        rays = self._pinhole.rays(data.cam_xpos[self._id], rotation)
        hits = cast(self._model, data, rays)
        light = np.tile(self._lighting.ambient, (len(hits.geom), 1))
        seen = np.flatnonzero(hits.geom >= 0)
        patch = self._painter.patch(data, rays.at(seen), hits.at(seen))
        light[seen] = self._lighting.light(patch, rays.origin)
        return light


class Backdrop:
    """The fixed part of what a fixed camera sees, with what moves and its shadows put in."""

    def __init__(
        self, view: View, data: mujoco.MjData, painter: Painter, lighting: Lighting
    ) -> None:
        self._view, self._painter, self._lighting = view, painter, lighting
        self._seen = np.flatnonzero(view.fixed.geom >= 0)
        patch = painter.patch(data, view.rays.at(self._seen), view.fixed.at(self._seen))
        self._still = np.tile(lighting.ambient, (len(view.fixed.geom), 1))
        light = lighting.indirect(patch)
        self._shaded = []
        for lamp in lighting.lamps:
            direct = lamp.direct(patch, view.rays.origin)
            if lamp.shadow:
                places = lamp.shadow.locate(patch)
                share = lamp.shadow.lit(places, lamp.shadow.fixed)
                self._shaded.append((lamp.shadow, places, share, direct))
                direct = direct * share
            light += direct
        self._still[self._seen] = light

    def light(self, data: mujoco.MjData) -> np.ndarray:
        """Radiance `(H * W, 3) float32`; the lights have looked at the scene already."""
        light = self._still.copy()
        for shadow, places, share, direct in self._shaded:
            at = shadow.changed(places)
            light[self._seen[at]] += direct[at] * (shadow.lit(places.at(at)) - share[at])
        pixels, hits = self._view.look(data)
        patch = self._painter.patch(data, self._view.rays.at(pixels), hits)
        light[pixels] = self._lighting.light(patch, self._view.rays.origin)
        return light


class Sensor:
    """Lens and sensor of a camera."""

    def __init__(self, unit: CameraUnit, shape: tuple[int, int]) -> None:
        self._unit = unit
        height, width = shape
        x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
        falloff = 1 - unit.vignette * (x**2 + y**2) / 2
        self._lens = (falloff[..., None] * np.array(unit.white)).astype(np.float32)
        self._gain = 0.0  # until the first picture
        levels = np.arange(_LEVELS) / (_LEVELS - 1)
        curve = np.where(levels <= 0.0031308, 12.92 * levels, 1.055 * levels ** (1 / 2.4) - 0.055)
        self._curve = np.rint(255 * curve).astype(np.uint8)

    def expose(self, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The picture `(H, W, 3) uint8` of radiance `(H, W, 3) float32`.

        The first picture sets the gain for all.
        """
        if not self._gain:
            self._gain = self._unit.exposure / float(light.mean())
        signal = cv2.GaussianBlur(light * self._lens, (0, 0), self._unit.blur_px)
        signal *= self._gain
        noise = rng.standard_normal(signal.shape, np.float32)
        noise *= np.sqrt(signal * self._unit.shot + self._unit.read**2)
        counts = ((signal + noise) * (_LEVELS - 1)).clip(0, _LEVELS - 1).astype(np.uint16)
        return self._curve[counts]
