from __future__ import annotations

import itertools

import mujoco
import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.objects import GRASPABLE_M, SHAPES, Part, draw_shape
from xmodal_ros.sim.scene import Scene


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_stands_on_the_table_and_fits_between_the_fingers(name, make_crate):
    rng = np.random.default_rng(1)
    for _ in range(3):
        shape = draw_shape(name, rng)
        assert shape.name == name
        assert max(2 * part.half_extent()[1] for part in shape.parts) <= GRASPABLE_M
        assert shape.low_m < shape.grip_height_m < shape.high_m
        for gap, touches in ((-1e-4, True), (1e-4, False)):  # MuJoCo's own geometry decides
            height = -shape.low_m + gap
            thing = make_crate(shape=shape, position_m=(0.05, 0.0, height), yaw_rad=0.7)
            cell = Cell(Scene(seed=0, objects=(thing,), lights=(), person=False))
            assert cell.on_table("crate") is touches


def surface_points(kind: str, size: tuple[float, ...]) -> np.ndarray:
    """Points all over a primitive, `(N, 3)`."""
    angle, height = np.meshgrid(np.linspace(0, 2 * np.pi, 721), np.linspace(-1, 1, 721))
    round_ = np.sqrt(1 - height**2)
    ball = np.stack([round_ * np.cos(angle), round_ * np.sin(angle), height], axis=-1)
    ball = ball.reshape(-1, 3)
    rim = np.stack([np.cos(angle), np.sin(angle), np.sign(height)], axis=-1).reshape(-1, 3)
    ends = [(0, 0, size[-1]), (0, 0, -size[-1])]
    return {
        "box": lambda: np.array(list(itertools.product(*[(-s, s) for s in size]))),
        "sphere": lambda: ball * size[0],
        "ellipsoid": lambda: ball * size,
        "cylinder": lambda: rim * (size[0], size[0], size[1]),
        "capsule": lambda: np.concatenate([ball * size[0] + end for end in ends]),
    }[kind]()


@pytest.mark.parametrize("name", SHAPES)
def test_extents_are_those_of_the_points_of_the_surface(name):
    shape = draw_shape(name, np.random.default_rng(2))
    for part in shape.parts:
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, part.quaternion)
        points = surface_points(part.kind, part.size) @ turn.reshape(3, 3).T
        np.testing.assert_allclose(part.half_extent(), points.max(axis=0), rtol=1e-4)


def test_an_unknown_shape_lists_those_there_are():
    with pytest.raises(SettingsError) as error:
        draw_shape("teapot", np.random.default_rng(0))
    assert str(error.value).startswith("scene: unknown shape 'teapot'; expected one of box, ")
    assert str(error.value).endswith("bracket, mug")


@pytest.mark.parametrize("name", SHAPES)
def test_mass_is_spread_over_the_parts_by_their_volume(name, make_crate):
    shape = draw_shape(name, np.random.default_rng(3))
    thing = make_crate(shape=shape, position_m=(0.05, 0.0, -shape.low_m), mass_kg=0.6)
    model = Cell(Scene(seed=0, objects=(thing,), lights=(), person=False)).model
    rng, masses = np.random.default_rng(0), []
    for part in shape.parts:  # Monte Carlo volume of each, in its own frame
        reach = Part(part.kind, part.size).half_extent()
        points = rng.uniform(-reach, reach, (200_000, 3))
        masses.append(8 * np.prod(reach) * inside(part.kind, part.size, points).mean())
    expected = np.average([part.position for part in shape.parts], axis=0, weights=masses)
    np.testing.assert_allclose(model.body("crate").mass, 0.6)
    np.testing.assert_allclose(model.body("crate").ipos, expected, atol=3e-4)


def inside(kind: str, size: tuple[float, ...], points: np.ndarray) -> np.ndarray:
    """Whether points `(N, 3)` are in a primitive."""
    x, y, z = points.T
    if kind in ("sphere", "ellipsoid"):
        return ((points / size) ** 2).sum(axis=1) <= 1
    if kind == "box":
        return np.ones(len(points), bool)
    beyond = np.maximum(np.abs(z) - size[1], 0) * (kind == "capsule")
    return x**2 + y**2 + beyond**2 <= size[0] ** 2
