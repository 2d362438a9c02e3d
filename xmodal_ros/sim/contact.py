"""How deep things press into a gel: geometry of the touched geoms plus their micro-relief."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import mujoco
import numpy as np

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.primitives import PRIMITIVES
from xmodal_ros.sim.surface import Surface

FIELD_M = (0.01416, 0.01888)
"""Height and width that a gel image shows: 480 x 640 pixels of 0.0295 mm (taxim's calibration)."""
GEL_M = 0.003
"""Thickness of the gel: on its ground nothing presses deeper but the relief."""


def _still() -> np.ndarray:
    return np.zeros(2)


@dataclass(frozen=True, eq=False)
class Pad:
    """One gel at one moment; world frame unless said otherwise."""

    position: np.ndarray
    """`(3,)` centre of the undeformed gel's face, in m."""
    rotation: np.ndarray
    """`(3, 3)`, columns: right and up in the gel's image, and out of the gel."""
    geoms: tuple[int, ...] = ()
    """Ids of the geoms that may touch it."""
    normal_force: float = 0.0
    """N"""
    shear_force: np.ndarray = field(default_factory=_still)
    """`(2,)` N, right and up."""
    shear: np.ndarray = field(default_factory=_still)
    """`(2,)` m, how far the gel's skin is dragged to the right and up."""
    slip: np.ndarray = field(default_factory=_still)
    """`(2,)` m, how far the surface has moved over the gel since it was touched."""


def height_field(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    pad: Pad,
    surfaces: Mapping[int, Surface],
    shape: tuple[int, int] = (240, 320),
) -> np.ndarray:
    """Penetration into the undeformed gel.

    A geom without a surface is taken as hard and perfectly smooth. Relief adds to the penetration
    where it stands out; a soft object takes a part of the overlap itself (`Surface.gel_share`).

    Args:
        model: The scene.
        data: Its state, with the geoms' poses computed.
        pad: The gel, with the geoms that may touch it.
        surfaces: Surface of each object's geoms, by geom id.
        shape: Rows and columns of the image; row 0 is up.

    Returns:
        `shape` float32 in m, 0 where nothing touches.

    Raises:
        SettingsError: a geom of `pad` is none of the primitives.
    """
    deepest = np.zeros(shape[0] * shape[1], np.float32)
    for geom in pad.geoms:
        surface = surfaces.get(geom)
        depth = _press(model, data, pad, geom, shape)
        near = np.flatnonzero(depth > (-surface.peak_m if surface else 0.0))
        if not len(near):
            continue
        pressed = np.minimum(depth[near], np.float32(GEL_M))
        if surface:
            body = model.geom_bodyid[geom]
            frame = (data.xpos[body], data.xmat[body].reshape(3, 3))
            pressed += _relief(pad, frame, surface, near, depth, shape)
            pressed *= surface.gel_share
        deepest[near] = np.maximum(deepest[near], pressed)
    return deepest.reshape(shape)


def _press(
    model: mujoco.MjModel, data: mujoco.MjData, pad: Pad, geom: int, shape: tuple[int, int]
) -> np.ndarray:
    """How far `(N,)` the bare geom reaches through the gel's face; minus infinity off the geom."""
    kind = int(model.geom_type[geom])
    if kind not in PRIMITIVES:
        name = mujoco.mjtGeom(kind).name.removeprefix("mjGEOM_").lower()
        raise SettingsError(
            f"a gel cannot be pressed on a {name}",
            where=f"geom '{model.geom(geom).name or geom}'",
            expected="a sphere, ellipsoid, box, cylinder or capsule",
        )
    start, axes = _in_frame(pad, data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3))
    x, y, z = (a.reshape(-1) for a in _plane(start, axes, shape))
    size = model.geom_size[geom].astype(np.float32)
    enter, leave = PRIMITIVES[kind](size, (x, y, z), axes[:, 2])
    # What ends before the gel's ground is behind the finger, such as the other side of a handle.
    return np.where(leave > -GEL_M, -enter, -np.inf).astype(np.float32)


def _relief(
    pad: Pad,
    frame: tuple[np.ndarray, np.ndarray],
    surface: Surface,
    near: np.ndarray,
    depth: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Relief `(P,)` where the rays of pixels `near` `(P,)` meet a geom at `depth` `(N,)`."""
    start, axes = _in_frame(pad, *frame)
    points = [
        a.reshape(-1)[near] - depth[near] * out
        for a, out in zip(_plane(start, axes, shape), axes[:, 2], strict=True)
    ]
    facing = _facing(depth.reshape(shape), axes).reshape(-1)[near]
    relief = np.empty(len(near), np.float32)
    for axis in range(3):
        chosen = np.flatnonzero(facing == axis)
        if len(chosen):
            relief[chosen] = surface.heights(*(points[i][chosen] for i in range(3) if i != axis))
    return relief


def _facing(depth: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Axis of the body `(H, W)` that the normal of the pressed surface is closest to."""
    hollow = np.maximum(depth, np.float32(-GEL_M))  # off the geom it is infinite
    per_m = 0.5 * depth.shape[1] / FIELD_M[1]
    right = cv2.Sobel(hollow, cv2.CV_32F, 1, 0, ksize=1, scale=per_m)
    up = cv2.Sobel(hollow, cv2.CV_32F, 0, 1, ksize=1, scale=-per_m)
    x, y, z = (np.abs(a[0] * right + a[1] * up + a[2]) for a in axes)
    facing: np.ndarray = np.where(x >= np.maximum(y, z), 0, np.where(y >= z, 1, 2))
    return facing


def _in_frame(
    pad: Pad, position: np.ndarray, rotation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pad's centre `(3,)` and axes `(3, 3)`, as columns, in a frame; float32."""
    start = rotation.T @ (pad.position - position)
    return start.astype(np.float32), (rotation.T @ pad.rotation).astype(np.float32)


def _plane(start: np.ndarray, axes: np.ndarray, shape: tuple[int, int]) -> list[np.ndarray]:
    """Coordinates x, y, z, each `shape`, of the pixels' centres on the undeformed gel."""
    rows, columns = shape
    up = np.float32(FIELD_M[0]) * (0.5 - (np.arange(rows, dtype=np.float32) + 0.5) / rows)
    right = np.float32(FIELD_M[1]) * ((np.arange(columns, dtype=np.float32) + 0.5) / columns - 0.5)
    return [(o + up * u)[:, None] + right * r for o, r, u in zip(start, *axes.T[:2], strict=True)]
