"""Surfaces under light: albedo and relief of what rays hit, shadows, diffuse and specular light.

Colours are linear RGB. Lights are the scene's own, as points of constant strength (Blinn-Phong:
Blinn 1977, "Models of light reflection for computer synthesized pictures").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import mujoco
import numpy as np

from xmodal_ros.sim.rays import Hits, Rays
from xmodal_ros.sim.surface import Surface
from xmodal_ros.sim.view import Pinhole, View

_SHADOW_PX = 192
_OFFSET_TEXELS = 1.5
"""A point is looked up so far above its surface, that a surface does not shade itself."""
_SPECULAR, _SHININESS = 0.1, 20.0
"""Of geoms without a surface: painted metal and clothes."""


@dataclass(frozen=True, slots=True)
class Patch:
    """What is visible at `P` points."""

    point: np.ndarray
    """`(P, 3) float32` in metres, in the world."""
    normal: np.ndarray
    """`(P, 3) float32` with the surface's relief."""
    flat: np.ndarray
    """`(P, 3) float32`, the normal of the geom."""
    albedo: np.ndarray
    """`(P, 3) float32`."""
    specular: np.ndarray
    """`(P,) float32`, strength of the highlight."""
    shininess: np.ndarray
    """`(P,) float32`, its exponent."""


class Painter:
    """Looks of geoms: their surface where there is one, their colour where not."""

    def __init__(self, model: mujoco.MjModel, surfaces: Mapping[int, Surface]) -> None:
        self._surfaces = surfaces
        self._body = model.geom_bodyid.copy()
        self._colour = model.geom_rgba[:, :3].astype(np.float32)

    def patch(self, data: mujoco.MjData, rays: Rays, hits: Hits) -> Patch:
        """Looks of what the rays hit; all of them hit something."""
        point = rays.origin.astype(np.float32) + rays.directions * hits.distance[:, None]
        normal, albedo = hits.normal.copy(), self._colour[hits.geom]
        specular = np.full(len(point), _SPECULAR, np.float32)
        shininess = np.full(len(point), _SHININESS, np.float32)
        for geom in np.unique(hits.geom):
            surface = self._surfaces.get(int(geom))
            if surface is None:
                continue
            at, body = np.flatnonzero(hits.geom == geom), self._body[geom]
            rotation = data.xmat[body].reshape(3, 3).astype(np.float32)
            local = (point[at] - data.xpos[body].astype(np.float32)) @ rotation
            flat = hits.normal[at]
            facing = np.abs(_dot(flat, rays.directions[at]))
            footprint = hits.distance[at] * rays.width_rad / facing.clip(0.1)
            _, albedo[at], tilt = surface.sample(local, flat @ rotation, footprint)
            normal[at] = _unit(flat + tilt @ rotation.T)
            specular[at] = surface.specular
            shininess[at] = 2 ** (1 + 9 * surface.gloss)
        return Patch(point, normal, hits.normal, albedo, specular, shininess)


class Lighting:
    """The scene's lights and the shadows in its working area.

    Args:
        model: The scene.
        data: Its state; lights do not move afterwards.
        centre: `(3,)` in metres, the middle of the working area.
        radius_m: Shadows fall within this distance of it.
    """

    def __init__(
        self, model: mujoco.MjModel, data: mujoco.MjData, centre: np.ndarray, radius_m: float
    ) -> None:
        self.ambient = np.asarray(model.vis.headlight.ambient, np.float32).copy()
        self.lamps = []
        for k in np.flatnonzero(model.light_active):
            self.ambient += model.light_ambient[k]
            shadow = None
            if model.light_castshadow[k]:
                shadow = Shadow(model, data, data.light_xpos[k], centre, radius_m)
            colour = model.light_diffuse[k].astype(np.float32)
            self.lamps.append(Lamp(data.light_xpos[k].astype(np.float32), colour, shadow))

    def look(self, data: mujoco.MjData) -> None:
        """Take the shadows of what moves, at the time of a picture."""
        for lamp in self.lamps:
            if lamp.shadow:
                lamp.shadow.look(data)

    def light(self, patch: Patch, eye: np.ndarray) -> np.ndarray:
        """Radiance `(P, 3) float32` of points seen from `eye` `(3,)`, with shadows."""
        return self.indirect(patch) + sum(
            lamp.direct(patch, eye) * lamp.lit(patch) for lamp in self.lamps
        )

    def indirect(self, patch: Patch) -> np.ndarray:
        """Radiance `(P, 3) float32` from all around, less from below."""
        sky: np.ndarray = patch.albedo * self.ambient * (0.75 + 0.25 * patch.normal[:, 2:])
        return sky


@dataclass(frozen=True, slots=True)
class Lamp:
    """One light."""

    position: np.ndarray
    colour: np.ndarray
    shadow: Shadow | None

    def direct(self, patch: Patch, eye: np.ndarray) -> np.ndarray:
        """Radiance `(P, 3) float32` without shadows."""
        towards = _unit(self.position - patch.point)
        cosine = _dot(towards, patch.normal).clip(0)
        half = _unit(towards + _unit(eye.astype(np.float32) - patch.point))
        highlight = _dot(half, patch.normal).clip(0) ** patch.shininess
        highlight *= patch.specular * (cosine > 0)
        return (patch.albedo * cosine[:, None] + highlight[:, None]) * self.colour

    def lit(self, patch: Patch) -> np.ndarray | float:
        """Share of the light that is not in shadow, `(P, 1) float32`."""
        return self.shadow.lit(self.shadow.locate(patch)) if self.shadow else 1.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where `P` points are in a shadow map."""

    texel: np.ndarray
    """`(P, 2) float32`, u then v."""
    distance: np.ndarray
    """`(P,) float32` from the light; negative for a point beside the map, which is lit."""

    def at(self, index: np.ndarray) -> Places:
        """Some of them."""
        return Places(self.texel[index], self.distance[index])


class Shadow:
    """What a light sees of the working area: a depth map (Williams 1978), softened at its edges.

    Args:
        model: The scene.
        data: Its state.
        position: `(3,)` of the light.
        centre: `(3,)`, where the light is directed.
        radius_m: Half width of the map there.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        position: np.ndarray,
        centre: np.ndarray,
        radius_m: float,
    ) -> None:
        away = position - centre
        distance = float(np.linalg.norm(away))
        self._texel_m = 2 * radius_m / _SHADOW_PX
        pinhole = Pinhole(_SHADOW_PX, _SHADOW_PX, distance / self._texel_m)
        rotation = _looking_along(-away / distance)
        self._view = View(model, data, pinhole, position, rotation)
        self._origin, self._rotation = position.astype(np.float32), rotation.astype(np.float32)
        self.fixed = self._view.fixed.distance
        """The map of the fixed geoms alone, row by row."""
        self._depth = self.fixed
        self._changed = np.zeros(_SHADOW_PX**2, bool)

    def look(self, data: mujoco.MjData) -> None:
        """Make the map of this moment."""
        pixels, hits = self._view.look(data)
        self._depth = self.fixed.copy()
        self._depth[pixels] = hits.distance
        moving = np.zeros((_SHADOW_PX, _SHADOW_PX), np.uint8)
        moving.reshape(-1)[pixels] = 1
        self._changed = cv2.dilate(moving, np.ones((3, 3), np.uint8)).reshape(-1) > 0

    def locate(self, patch: Patch) -> Places:
        """Where points are in the map."""
        raised = patch.point + patch.flat * (_OFFSET_TEXELS * self._texel_m)
        local = (raised - self._origin) @ self._rotation
        behind = local[:, 2] >= 0
        local[behind, 2] = -1.0
        texel = self._view.pinhole.project(local) - 0.5
        u, v = texel[:, 0], texel[:, 1]
        last = _SHADOW_PX - 1
        beside = behind | (u < 0) | (v < 0) | (u >= last) | (v >= last)
        distance = np.where(beside, -1.0, np.sqrt(_dot(local, local)))
        return Places(texel.clip(0, _SHADOW_PX - 1.001), distance.astype(np.float32))

    def lit(self, places: Places, depth: np.ndarray | None = None) -> np.ndarray:
        """Share of the light, `(P, 1) float32`, from the four nearest texels (Reeves 1987)."""
        depth = self._depth if depth is None else depth
        corner = places.texel.astype(np.int32)
        share = places.texel - corner
        first = corner[:, 1] * _SHADOW_PX + corner[:, 0]
        total = np.zeros(len(first), np.float32)
        for dx, across in ((0, 1 - share[:, 0]), (1, share[:, 0])):
            for dy, down in ((0, 1 - share[:, 1]), (1, share[:, 1])):
                seen = depth[first + (dy * _SHADOW_PX + dx)] >= places.distance
                total += across * down * seen
        return total[:, None]

    def changed(self, places: Places) -> np.ndarray:
        """Indices of places that a moving geom may shade at this moment."""
        nearest = np.rint(places.texel).astype(np.int32)
        return np.flatnonzero(self._changed[nearest[:, 1] * _SHADOW_PX + nearest[:, 0]])


def _looking_along(forward: np.ndarray) -> np.ndarray:
    """A rotation `(3, 3)` whose -z axis is `forward`."""
    helper = np.eye(3)[np.argmin(np.abs(forward))]
    right = np.cross(forward, helper)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(right, forward), -forward], axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.sqrt(_dot(vectors, vectors))[:, None]
    return unit


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row, `(P, 3)` and `(P, 3)` to `(P,)`."""
    product: np.ndarray = a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]
    return product
