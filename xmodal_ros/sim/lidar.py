"""The simulated LiDAR: a spinning head of rings, and what every point of a scan belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.rays import Rays, cast


@dataclass(frozen=True)
class LidarSettings:
    """The pattern of one scan: 16,384 points of a LiDAR that sees the table below it as well."""

    rings: int = setting(32, "beams one above the other", low=1, high=256)
    steps: int = setting(512, "points of a ring in one turn", low=8, high=8192)
    lowest_deg: float = setting(
        -55.0, "elevation of the lowest ring", unit="deg", low=-89.0, high=89.0
    )
    highest_deg: float = setting(
        15.0, "elevation of the highest ring", unit="deg", low=-89.0, high=89.0
    )

    def __post_init__(self) -> None:
        validate(self, "lidar")
        if self.lowest_deg > self.highest_deg:
            raise SettingsError(
                f"got {self.lowest_deg}",
                where="lidar.lowest_deg",
                expected=f"at most highest_deg, {self.highest_deg}",
            )


@dataclass(frozen=True, slots=True)
class LidarUnit:
    """One LiDAR of a series: what differs from one to the next."""

    range_noise_m: float
    """Standard deviation of a distance."""
    elevation_deg: tuple[float, ...]
    """Error of each ring's elevation."""
    weakest: float
    """Intensity of which half of the returns are lost."""
    lost: float
    """Share of returns that are lost whatever their intensity."""


def draw_lidar_unit(rng: np.random.Generator, settings: LidarSettings) -> LidarUnit:
    """A LiDAR as data sheets have them: noise of 5 to 25 mm."""
    return LidarUnit(
        range_noise_m=rng.uniform(0.005, 0.025),
        elevation_deg=tuple(rng.normal(0, 0.05, settings.rings).tolist()),
        weakest=rng.uniform(0.01, 0.04),
        lost=rng.uniform(0.0, 0.02),
    )


@dataclass(frozen=True, slots=True)
class Scan:
    """One turn of the head, as if at one moment, in the sensor's frame."""

    points: np.ndarray
    """`(N, 4) float32`: x, y, z in metres and intensity in [0, 1]."""
    labels: np.ndarray
    """`(N,) uint8`, the class of what each point is on."""


class Lidar:
    """A LiDAR at a site of the scene.

    Args:
        model: The scene.
        site: Name of the site; the head spins about its z axis.
        classes: `(ngeom,) uint8`, class of each geom.
        reflectivity: `(ngeom,)` share of the light that each geom sends back at right angle.
        unit: The sensor.
        settings: Its pattern.

    Raises:
        SettingsError: the scene has no such site.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        site: str,
        classes: np.ndarray,
        reflectivity: np.ndarray,
        unit: LidarUnit,
        settings: LidarSettings,
    ) -> None:
        known = [model.site(k).name for k in range(model.nsite)]
        if site not in known:
            raise SettingsError(
                f"no site '{site}'", where="lidar", expected="one of " + ", ".join(known)
            )
        self._model, self._site, self._unit = model, known.index(site), unit
        self._classes, self._reflectivity = classes, reflectivity.astype(np.float32)
        rings = np.linspace(settings.lowest_deg, settings.highest_deg, settings.rings)
        self._elevation = np.radians(rings + np.array(unit.elevation_deg))
        self._steps = settings.steps

    def pose(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """Position `(3,)` and rotation `(3, 3)` of the sensor in the world."""
        return data.site_xpos[self._site].copy(), data.site_xmat[self._site].reshape(3, 3).copy()

    def scan(self, data: mujoco.MjData, rng: np.random.Generator) -> Scan:
        """One scan, without the returns that were lost."""
        position, rotation = self.pose(data)
        local = self._directions(rng.uniform(0, 2 * np.pi / self._steps))
        world = (local @ rotation.T).astype(np.float32)
        hits = cast(self._model, data, Rays(position, world))
        seen = np.flatnonzero(hits.geom >= 0)
        geom, normal = hits.geom[seen], hits.normal[seen]
        facing = -np.einsum("ij,ij->i", normal, world[seen])
        intensity = self._reflectivity[geom] * facing.clip(0)
        returned = self._returned(intensity, rng)
        seen, intensity, geom = seen[returned], intensity[returned], geom[returned]
        noise = rng.standard_normal(len(seen), np.float32) * self._unit.range_noise_m
        flicker = rng.standard_normal(len(seen), np.float32) * 0.03
        points = np.empty((len(seen), 4), np.float32)
        points[:, :3] = local[seen] * (hits.distance[seen] + noise)[:, None]
        points[:, 3] = (intensity * (1 + flicker)).clip(0, 1)
        return Scan(points, self._classes[geom])

    def _directions(self, phase: float) -> np.ndarray:
        """Unit vectors `(steps * rings, 3)` in the sensor's frame, in the order of a spin."""
        azimuth = phase + np.arange(self._steps) * (2 * np.pi / self._steps)
        flat, up = np.cos(self._elevation), np.sin(self._elevation)
        x, y = np.cos(azimuth)[:, None] * flat, np.sin(azimuth)[:, None] * flat
        return np.stack([x, y, np.broadcast_to(up, x.shape)], axis=-1).reshape(-1, 3)

    def _returned(self, intensity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Which returns are noticed: weak ones are often not."""
        noticed = 1 - np.exp2(-((intensity / self._unit.weakest) ** 2))
        return rng.random(len(intensity), np.float32) < noticed * (1 - self._unit.lost)
