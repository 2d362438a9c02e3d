"""What stands in the cell: objects with their surfaces, lights, and where the person is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim import materials
from xmodal_ros.sim.objects import SHAPES, Shape, draw_shape


@dataclass(frozen=True)
class SceneObject:
    """A free object; it is placed standing along z, turned by `yaw_rad`."""

    name: str
    shape: Shape
    surface: Any
    """A material instance, `materials.Surface`."""
    mass_kg: float
    friction: float
    """Coefficient of its surface against a gel pad, and against the table."""
    position_m: tuple[float, float, float]
    yaw_rad: float = 0.0


@dataclass(frozen=True)
class Light:
    """A point light; `colour` is linear RGB."""

    position_m: tuple[float, float, float]
    colour: tuple[float, float, float]
    shadow: bool = False


@dataclass(frozen=True)
class Scene:
    """A cell before anything moves."""

    seed: int
    objects: tuple[SceneObject, ...]
    """The first one is the one to grasp."""
    lights: tuple[Light, ...]
    surfaces: Mapping[str, Any] = field(default_factory=dict)
    """Material instances of what is no object, by the name of its geom ("table")."""
    person_m: tuple[float, float] = (1.1, 0.5)
    """Where the person stands at first."""
    person: bool = True


@dataclass(frozen=True)
class SceneSettings:
    """What scenes are drawn from."""

    shapes: str = setting("", "shapes to draw from, with commas between; empty for all")
    materials: str = setting("", "materials to draw from, with commas between; empty for all")
    objects: int = setting(3, "most objects on the table", low=1, high=6)
    mass_low_kg: float = setting(0.03, "lightest object", unit="kg", low=0.005, high=3.0)
    mass_high_kg: float = setting(1.5, "heaviest object", unit="kg", low=0.005, high=3.0)
    empty_share: float = setting(0.3, "share of objects that are empty", low=0.0, high=1.0)
    contents_kg_m3: float = setting(
        4500.0, "density of the heaviest contents", unit="kg/m³", low=0.0, high=10_000.0
    )
    friction_low: float = setting(
        0.5, "least of a material's friction that dust and grease leave", low=0.05, high=1.0
    )
    person_share: float = setting(0.7, "share of scenes with a person", low=0.0, high=1.0)

    def __post_init__(self) -> None:
        validate(self, "scene")
        for name, known in (("shapes", SHAPES), ("materials", materials.CATALOGUE)):
            for value in _names(getattr(self, name)):
                if value not in known:
                    raise SettingsError(
                        f"unknown name '{value}'",
                        where=f"scene.{name}",
                        expected="some of " + ", ".join(known),
                    )
        if self.mass_low_kg > self.mass_high_kg:
            raise SettingsError(
                f"got {self.mass_low_kg}",
                where="scene.mass_low_kg",
                expected=f"at most scene.mass_high_kg, {self.mass_high_kg} kg",
            )


AREA_M = ((-0.02, 0.14), (-0.22, 0.22))
"""Where objects are put on the table, x and y."""


def draw_scene(seed: int, settings: SceneSettings, rng: np.random.Generator) -> Scene:
    """Draw objects, surfaces, lights and the person's place."""
    shapes = _names(settings.shapes) or list(SHAPES)
    kinds = _names(settings.materials) or list(materials.CATALOGUE)
    objects: list[SceneObject] = []
    for number in range(int(rng.integers(1, settings.objects + 1))):
        shape = draw_shape(str(rng.choice(shapes)), rng)
        place = _free_place(shape, objects, rng)
        if place is None:
            break
        surface = materials.draw(str(rng.choice(kinds)), rng)
        objects.append(
            SceneObject(
                name=f"object_{number}",
                shape=shape,
                surface=surface,
                mass_kg=_draw_mass(shape, surface.density, settings, rng),
                friction=float(surface.friction * rng.uniform(settings.friction_low, 1.0)),
                position_m=(*place, -shape.low_m),
                yaw_rad=float(rng.uniform(-np.pi, np.pi)),
            )
        )
    return Scene(
        seed=seed,
        objects=tuple(objects),
        lights=_draw_lights(rng),
        surfaces={"table": materials.draw(str(rng.choice(list(materials.CATALOGUE))), rng)},
        person_m=(float(rng.uniform(0.95, 1.3)), float(rng.uniform(-0.8, 0.8))),
        person=bool(rng.random() < settings.person_share),
    )


def _draw_mass(
    shape: Shape, density: float, settings: SceneSettings, rng: np.random.Generator
) -> float:
    """Mass in kg of a thing that is partly its material and partly contents, or empty."""
    volume_m3 = sum(part.volume_m3 for part in shape.parts)
    solid = rng.uniform(0.15, 1.0)
    contents = rng.uniform(0.0, settings.contents_kg_m3)
    contents *= rng.random() >= settings.empty_share
    mass = volume_m3 * (solid * density + (1.0 - solid) * contents)
    return float(np.clip(mass, settings.mass_low_kg, settings.mass_high_kg))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _free_place(
    shape: Shape, others: list[SceneObject], rng: np.random.Generator
) -> tuple[float, float] | None:
    """A place where the fingers can get around the shape, or None where the table is full."""
    air = 0.05
    for _ in range(50):
        x, y = (float(rng.uniform(*limits)) for limits in AREA_M)
        if all(
            np.hypot(x - o.position_m[0], y - o.position_m[1])
            > shape.radius_m + o.shape.radius_m + air
            for o in others
        ):
            return x, y
    return None


def _draw_lights(rng: np.random.Generator) -> tuple[Light, ...]:
    """A key light that casts shadows, and a weaker one from the other side."""
    made = []
    for number, strength in enumerate((rng.uniform(0.6, 1.0), rng.uniform(0.1, 0.4))):
        angle = rng.uniform(0, 2 * np.pi)
        radius, height = rng.uniform(0.4, 1.5), rng.uniform(1.0, 2.0)
        colour = strength * rng.uniform(0.85, 1.0, 3)
        position = (radius * np.cos(angle), radius * np.sin(angle), height)
        made.append(
            Light(
                position_m=(float(position[0]), float(position[1]), float(height)),
                colour=(float(colour[0]), float(colour[1]), float(colour[2])),
                shadow=number == 0,
            )
        )
    return tuple(made)
