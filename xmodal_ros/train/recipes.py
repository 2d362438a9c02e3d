"""The recipes by name: the ones of the bundle and those it is compared with."""

from __future__ import annotations

import dataclasses

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.train.recipe import Recipe, Schedule

TRUNK = {"dim": 128, "encoders": "shared", "tokens": "patch", "fusion": "cec", "dropout": 0.3}

GEL = {
    "kind": "gel",
    "height": 120,
    "width": 160,
    "normalization": "relative",
    "level": 3,
    "rows": 2,
    "columns": 3,
    "difference": "previous",
    "gain": 4.0,
    "frames": 12,
    "spacing_s": 0.16,
}
CAMERA = {
    "kind": "image",
    "height": 160,
    "width": 160,
    "normalization": "centred",
    "level": 3,
    "rows": 1,
    "columns": 1,
}
IMU = {
    "kind": "imu",
    "samples": 128,
    "rate_hz": 50.0,
    "patch": 16,
    "stride": 8,
    "width": 96,
    "depth": 3,
    "heads": 4,
    "norm": "layer",
    "dropout": 0.2,
}

GRASP = Recipe(
    name="grasp",
    task="grasp",
    branches={"gel": GEL},
    streams={"tactile_left": "gel", "tactile_right": "gel"},
    schedule=Schedule(steps=120, batch=64, learning_rate=1.5e-3, mixing=0.4),
    trunk=TRUNK,
)
MATERIAL = Recipe(
    name="material",
    task="material",
    branches={"camera": CAMERA},
    streams={"camera": "camera"},
    schedule=Schedule(steps=600, batch=64, learning_rate=1.5e-3, smoothing=0.1, mixing=0.2),
    trunk=TRUNK,
)
ACTIVITY = Recipe(
    name="activity",
    task="activity",
    branches={"imu": IMU},
    streams={"imu": "imu"},
    schedule=Schedule(
        steps=1500,
        batch=96,
        learning_rate=2e-3,
        weight_decay=0.05,
        smoothing=0.0,
        balance=1.0,
        contrastive_steps=0,
    ),
    trunk=TRUNK,
)


def _other(recipe: Recipe, name: str, **trunk: str) -> Recipe:
    return dataclasses.replace(recipe, name=name, trunk={**recipe.trunk, **trunk})


RECIPES = {
    recipe.name: recipe
    for recipe in (
        GRASP,
        _other(GRASP, "grasp-pooled", tokens="pooled"),
        _other(GRASP, "grasp-no-cec", fusion="mean"),
        MATERIAL,
        _other(MATERIAL, "material-no-cec", fusion="mean"),
        ACTIVITY,
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        SettingsError: there is none; the known ones are listed.
    """
    if name not in RECIPES:
        raise SettingsError(
            f"no recipe '{name}'", where="recipe", expected="one of " + ", ".join(RECIPES)
        )
    return RECIPES[name]
