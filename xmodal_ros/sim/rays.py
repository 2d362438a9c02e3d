"""Casts rays into a MuJoCo scene: what a camera's pixels and a LiDAR's beams hit."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import mujoco
import numpy as np

GROUPS = np.array([1, 1, 1, 1, 0, 0], np.uint8)
"""Geom groups that sensors see; 4 and 5 are for geoms that only physics knows."""
RANGE_M = 50.0
"""Nothing further away is hit."""


@dataclass(frozen=True, slots=True)
class Rays:
    """`N` rays from one point, in the world."""

    origin: np.ndarray
    """`(3,)` in metres."""
    directions: np.ndarray
    """`(N, 3) float32` of unit length."""
    width_rad: float = 0.0
    """Angle between neighbours: what is finer than it is blurred."""

    def at(self, index: np.ndarray) -> Rays:
        """Some of them, by `index`, `(M,)` integers or `(N,)` booleans."""
        return Rays(self.origin, self.directions[index], self.width_rad)


@dataclass(frozen=True, slots=True)
class Hits:
    """The first surface along each of `N` rays."""

    distance: np.ndarray
    """`(N,) float32` in metres; infinite where nothing is hit."""
    geom: np.ndarray
    """`(N,) int32`; -1 where nothing is hit."""
    normal: np.ndarray
    """`(N, 3) float32`, outward, of unit length, in the world; zero where nothing is hit."""

    def at(self, index: np.ndarray) -> Hits:
        """Of some of the rays, as `Rays.at`."""
        return Hits(self.distance[index], self.geom[index], self.normal[index])


def cast(
    model: mujoco.MjModel, data: mujoco.MjData, rays: Rays, *, moving_only: bool = False
) -> Hits:
    """Cast rays into a scene.

    Args:
        model: The scene.
        data: Its state, with the geoms' poses computed.
        rays: From one point.
        moving_only: Pass through geoms that are fixed to the world.
    """
    count = len(rays.directions)
    geom, distance = np.full(count, -1, np.int32), np.full(count, -1.0)
    normal = np.zeros((count, 3))
    if count:
        mujoco.mj_multiRay(
            model,
            data,
            np.asarray(rays.origin, np.float64),
            np.ascontiguousarray(rays.directions, np.float64).reshape(-1),
            GROUPS,
            not moving_only,
            -1,
            geom,
            distance,
            normal.reshape(-1),
            count,
            RANGE_M,
        )
    missed = geom < 0
    distance[missed] = np.inf
    normal[missed] = 0.0
    return Hits(distance.astype(np.float32), geom, normal.astype(np.float32))


def moving_geoms(model: mujoco.MjModel) -> np.ndarray:
    """Ids `(M,)` of the geoms that are not fixed to the world and that sensors see."""
    moves = model.body_weldid[model.geom_bodyid] != 0
    seen = GROUPS[model.geom_group] == 1
    return np.flatnonzero(moves & seen)


def without_moving(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy of the scene in which rays pass through what moves."""
    still = copy.copy(model)
    moving = moving_geoms(model)
    still.geom_matid[moving] = -1
    still.geom_rgba[moving, 3] = 0.0  # rays ignore what is invisible
    return still
