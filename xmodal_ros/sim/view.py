"""A pinhole's view of the scene, which casts anew only the rays that may hit something moving.

Cameras and the lights that cast shadows see through it. Of a view that is fixed to the world, the
fixed part is cast once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import mujoco
import numpy as np

from xmodal_ros.sim.rays import Hits, Rays, cast, moving_geoms, without_moving

_NEAR_M = 0.05
"""What moves nearer to the pinhole than this is seen in part only."""
_FAR_PX = 16_000
"""OpenCV draws polygons in 16-bit coordinates."""
_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
_EDGES = np.array([(i, i | bit) for bit in (1, 2, 4) for i in range(8) if not i & bit])


@dataclass(frozen=True, slots=True)
class Pinhole:
    """An ideal camera without distortion; its frame is MuJoCo's: x right, y up, z backward."""

    width: int
    height: int
    focal_px: float

    @classmethod
    def from_fov(cls, width: int, height: int, fov_y: float) -> Pinhole:
        """Of a vertical field of view in radians."""
        return cls(width, height, 0.5 * height / math.tan(0.5 * fov_y))

    def rays(self, position: np.ndarray, rotation: np.ndarray) -> Rays:
        """Rays through the centres of all pixels, row by row.

        Args:
            position: `(3,)` of the pinhole in the world.
            rotation: `(3, 3)`, from its frame to the world.
        """
        u, v = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        x, y = (u - self.width / 2) / self.focal_px, (self.height / 2 - v) / self.focal_px
        local = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3)
        world = (local / np.linalg.norm(local, axis=1, keepdims=True)) @ rotation.T
        return Rays(position.copy(), world.astype(np.float32), 1 / self.focal_px)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixel coordinates `(..., 2)`, u then v, of points `(..., 3)` in front of the pinhole."""
        scale = self.focal_px / -points[..., 2]
        u = self.width / 2 + points[..., 0] * scale
        v = self.height / 2 - points[..., 1] * scale
        return np.stack([u, v], axis=-1)


class View:
    """What a pinhole at a pose sees.

    Args:
        model: The scene.
        data: Its state.
        pinhole: The rays.
        position: `(3,)` in metres, in the world.
        rotation: `(3, 3)`, from the pinhole's frame to the world.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        pinhole: Pinhole,
        position: np.ndarray,
        rotation: np.ndarray,
    ) -> None:
        self.pinhole, self.rotation = pinhole, rotation.copy()
        self.rays = pinhole.rays(position, rotation)
        self.fixed = cast(without_moving(model), data, self.rays)
        """Hits of the fixed geoms, one per pixel."""
        self._model = model
        self._moving = moving_geoms(model)

    def look(self, data: mujoco.MjData) -> tuple[np.ndarray, Hits]:
        """Pixels `(P,) int64` in which something moving is in front, and what they see."""
        pixels = np.flatnonzero(self._may_move(data))
        hits = cast(self._model, data, self.rays.at(pixels), moving_only=True)
        front = np.flatnonzero(hits.distance < self.fixed.distance[pixels])
        return pixels[front], hits.at(front)

    def _may_move(self, data: mujoco.MjData) -> np.ndarray:
        """Pixels within the outline of a moving geom's box, `(height * width,) bool`."""
        moving, pinhole = self._moving, self.pinhole
        boxes = self._model.geom_aabb[moving]
        local = boxes[:, None, :3] + _CORNERS * boxes[:, None, 3:]
        rotation = data.geom_xmat[moving].reshape(-1, 3, 3)
        world = local @ rotation.transpose(0, 2, 1) + data.geom_xpos[moving][:, None]
        corners = (world - self.rays.origin) @ self.rotation  # (G, 8, 3)
        mask = np.zeros((pinhole.height, pinhole.width), np.uint8)
        for box in corners:
            outline = pinhole.project(_ahead(box))
            if not len(outline):
                continue
            hull = cv2.convexHull(outline.clip(-_FAR_PX, _FAR_PX).astype(np.int32))
            cv2.fillConvexPoly(mask, hull, 1)
            cv2.polylines(mask, [hull], True, 1, thickness=3)  # corners were rounded
        return mask.reshape(-1).astype(bool)


def _ahead(corners: np.ndarray) -> np.ndarray:
    """Corners `(C, 3)` of the part of a box `(8, 3)` that is in front of a pinhole."""
    ahead = corners[:, 2] < -_NEAR_M
    if ahead.all() or not ahead.any():
        return corners[ahead]
    first, second = _EDGES[ahead[_EDGES[:, 0]] != ahead[_EDGES[:, 1]]].T
    step = corners[second] - corners[first]
    share = (-_NEAR_M - corners[first, 2]) / step[:, 2]
    cut: np.ndarray = corners[first] + share[:, None] * step
    return np.concatenate([corners[ahead], cut])
