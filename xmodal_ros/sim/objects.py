"""Shapes of the things a robot grasps: drawn sizes, parts, and how high they stand.

A shape is one or a few MuJoCo primitives in the object's frame: it stands along z as it is placed,
and the fingers close along its y axis, where it is at most `GRASPABLE_M` wide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.errors import SettingsError

GRASPABLE_M = 0.078
"""Widest shape that the open gripper goes around with some air."""

IDENTITY = (1.0, 0.0, 0.0, 0.0)
LYING = (0.5**0.5, 0.0, 0.5**0.5, 0.0)
"""Turns a primitive's z axis to the object's x axis, quaternion (w, x, y, z)."""


@dataclass(frozen=True)
class Part:
    """One primitive of a shape; lengths in metres as MuJoCo has them (half sizes, radii)."""

    kind: str
    """box, cylinder, sphere, capsule or ellipsoid."""
    size: tuple[float, ...]
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    quaternion: tuple[float, float, float, float] = IDENTITY

    @property
    def volume_m3(self) -> float:
        """Volume in m³."""
        s = self.size
        if self.kind == "box":
            return 8 * s[0] * s[1] * s[2]
        if self.kind == "ellipsoid":
            return 4 / 3 * np.pi * s[0] * s[1] * s[2]
        if self.kind == "sphere":
            return 4 / 3 * np.pi * s[0] ** 3
        ends = 4 / 3 * np.pi * s[0] ** 3 if self.kind == "capsule" else 0.0
        return 2 * np.pi * s[0] ** 2 * s[1] + ends

    def half_extent(self) -> np.ndarray:
        """Half lengths `(3,)` in metres along the object's axes."""
        axes = rotation(self.quaternion)  # columns: the primitive's axes in the object's frame
        size = np.array(self.size)
        if self.kind == "box":
            return np.abs(axes) @ size
        if self.kind == "ellipsoid":
            return np.sqrt((axes**2) @ size**2)
        if self.kind == "sphere":
            return np.full(3, size[0])
        radius, half = size
        if self.kind == "capsule":
            return np.abs(axes[:, 2]) * half + radius
        return np.abs(axes[:, 2]) * half + radius * np.sqrt(1.0 - np.minimum(axes[:, 2] ** 2, 1.0))


@dataclass(frozen=True)
class Shape:
    """A rigid shape; `grip_height_m` is where, from its origin, a hand would take it."""

    name: str
    parts: tuple[Part, ...]
    grip_height_m: float = 0.0

    @property
    def low_m(self) -> float:
        """Lowest point below the origin, negative, in metres."""
        return float(min(part.position[2] - part.half_extent()[2] for part in self.parts))

    @property
    def high_m(self) -> float:
        """Highest point above the origin in metres."""
        return float(max(part.position[2] + part.half_extent()[2] for part in self.parts))

    @property
    def radius_m(self) -> float:
        """Radius in metres of a vertical cylinder around the origin that holds the shape."""
        reach = [np.abs(part.position[:2]) + part.half_extent()[:2] for part in self.parts]
        return float(max(np.hypot(*r) for r in reach))


def rotation(quaternion: tuple[float, ...] | np.ndarray) -> np.ndarray:
    """Rotation matrix `(3, 3)` of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _box(rng: np.random.Generator) -> Shape:
    x, y, z = rng.uniform((0.015, 0.01, 0.015), (0.05, 0.036, 0.055))
    return Shape("box", (Part("box", (x, y, z)),), grip_height_m=0.4 * z)


def _cylinder(rng: np.random.Generator) -> Shape:
    radius, half = rng.uniform((0.012, 0.02), (0.036, 0.055))
    return Shape("cylinder", (Part("cylinder", (radius, half)),), grip_height_m=0.4 * half)


def _rod(rng: np.random.Generator) -> Shape:
    radius, half = rng.uniform((0.01, 0.04), (0.025, 0.08))
    return Shape("rod", (Part("cylinder", (radius, half), quaternion=LYING),))


def _sphere(rng: np.random.Generator) -> Shape:
    return Shape("sphere", (Part("sphere", (rng.uniform(0.018, 0.037),)),))


def _capsule(rng: np.random.Generator) -> Shape:
    radius, half = rng.uniform((0.012, 0.02), (0.03, 0.06))
    return Shape("capsule", (Part("capsule", (radius, half), quaternion=LYING),))


def _ellipsoid(rng: np.random.Generator) -> Shape:
    x, y, z = rng.uniform((0.025, 0.015, 0.015), (0.05, 0.036, 0.03))
    return Shape("ellipsoid", (Part("ellipsoid", (x, y, min(x, y, z))),))


def _bottle(rng: np.random.Generator) -> Shape:
    radius, half, neck = rng.uniform((0.02, 0.025, 0.01), (0.036, 0.045, 0.018))
    body = Part("cylinder", (radius, half))
    top = Part("cylinder", (neck, 0.02), (0.0, 0.0, half + 0.02))
    return Shape("bottle", (body, top), grip_height_m=rng.choice([0.2 * half, half + 0.015]))


def _hammer(rng: np.random.Generator) -> Shape:
    radius, half, head = rng.uniform((0.01, 0.05, 0.012), (0.016, 0.08, 0.02))
    handle = Part("capsule", (radius, half), quaternion=LYING)
    weight = Part("box", (head, 2 * head, head), (half, 0.0, head - radius))
    return Shape("hammer", (handle, weight))


def _dumbbell(rng: np.random.Generator) -> Shape:
    radius, half, head = rng.uniform((0.008, 0.035, 0.018), (0.014, 0.05, 0.028))
    bar = Part("cylinder", (radius, half), quaternion=LYING)
    ends = [Part("sphere", (head,), (side * half, 0.0, 0.0)) for side in (-1, 1)]
    return Shape("dumbbell", (bar, *ends))


def _bracket(rng: np.random.Generator) -> Shape:
    length, height, thick = rng.uniform((0.025, 0.025, 0.006), (0.045, 0.045, 0.012))
    foot = Part("box", (length, 0.03, 0.005), (0.0, 0.0, 0.005))
    wall = Part("box", (length, thick, height), (0.0, 0.0, 0.01 + height))
    return Shape("bracket", (foot, wall), grip_height_m=0.01 + 1.5 * height)


def _mug(rng: np.random.Generator) -> Shape:
    radius, half = rng.uniform((0.026, 0.035), (0.036, 0.05))
    body = Part("cylinder", (radius, half))
    handle = Part("capsule", (0.006, 0.6 * half), (radius + 0.012, 0.0, 0.0))
    bars = [
        Part("capsule", (0.006, 0.006), (radius + 0.006, 0.0, side * 0.6 * half), LYING)
        for side in (-1, 1)
    ]
    return Shape("mug", (body, handle, *bars), grip_height_m=0.3 * half)


SHAPES: dict[str, Callable[[np.random.Generator], Shape]] = {
    "box": _box,
    "cylinder": _cylinder,
    "rod": _rod,
    "sphere": _sphere,
    "capsule": _capsule,
    "ellipsoid": _ellipsoid,
    "bottle": _bottle,
    "hammer": _hammer,
    "dumbbell": _dumbbell,
    "bracket": _bracket,
    "mug": _mug,
}


def draw_shape(name: str, rng: np.random.Generator) -> Shape:
    """A shape of a kind, its sizes drawn.

    Raises:
        SettingsError: unknown kind of shape.
    """
    if name not in SHAPES:
        raise SettingsError(
            f"unknown shape '{name}'", where="scene", expected="one of " + ", ".join(SHAPES)
        )
    return SHAPES[name](rng)
