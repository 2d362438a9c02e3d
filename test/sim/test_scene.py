from __future__ import annotations

import itertools

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.scene import AREA_M, SceneSettings, draw_scene


def draw(seed: int, **settings: object):
    return draw_scene(seed, SceneSettings(**settings), np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(4))
def test_drawn_scenes_can_be(seed):
    scene = draw(seed, objects=4, materials="glass")
    cell = Cell(scene)
    for thing in scene.objects:
        (x_low, x_high), (y_low, y_high) = AREA_M
        assert x_low <= thing.position_m[0] <= x_high
        assert y_low <= thing.position_m[1] <= y_high
        for number in range(len(thing.shape.parts)):
            assert cell.surfaces[cell.model.geom(f"{thing.name}/{number}").id] is thing.surface
        masses = cell.model.body_mass[cell.model.body(thing.name).id]
        assert masses == pytest.approx(thing.mass_kg)
    for one, other in itertools.combinations(scene.objects, 2):  # room for the fingers
        apart = np.hypot(*np.subtract(one.position_m, other.position_m)[:2])
        assert apart > one.shape.radius_m + other.shape.radius_m + 0.04


def test_the_same_seed_draws_the_same_scene():
    one, other = draw(3, materials="glass"), draw(3, materials="glass")
    assert [t.shape for t in one.objects] == [t.shape for t in other.objects]
    assert [t.surface.texture_id for t in one.objects] == [
        t.surface.texture_id for t in other.objects
    ]
    assert one.lights == other.lights
    assert one.lights != draw(4, materials="glass").lights


def test_shapes_materials_and_masses_are_those_allowed():
    for seed in range(2):
        scene = draw(seed, shapes="mug, box", materials="paper", mass_low_kg=0.5, mass_high_kg=0.6)
        for thing in scene.objects:
            assert thing.shape.name in ("mug", "box")
            assert thing.surface.material.name == "paper"
            assert 0.5 <= thing.mass_kg <= 0.6
            assert thing.friction <= thing.surface.friction


def test_unknown_names_list_those_there_are():
    with pytest.raises(SettingsError) as error:
        SceneSettings(shapes="box,teapot")
    assert str(error.value).startswith(
        "scene.shapes: unknown name 'teapot'; expected some of box, cylinder, "
    )
    with pytest.raises(SettingsError) as error:
        SceneSettings(materials="wood, kryptonite")
    assert str(error.value).startswith(
        "scene.materials: unknown name 'kryptonite'; expected some of glass, "
    )


def test_masses_in_the_wrong_order_are_refused():
    with pytest.raises(SettingsError) as error:
        SceneSettings(mass_low_kg=1.0, mass_high_kg=0.5)
    assert str(error.value) == (
        "scene.mass_low_kg: got 1.0; expected at most scene.mass_high_kg, 0.5 kg"
    )


def test_mass_is_that_of_the_material_where_nothing_is_inside():
    for seed in range(3):
        scene = draw(seed, materials="stone", empty_share=1.0, mass_low_kg=0.005, mass_high_kg=3.0)
        for thing in scene.objects:
            volume = sum(part.volume_m3 for part in thing.shape.parts)
            assert 0.15 <= thing.mass_kg / (volume * thing.surface.density) <= 1.0
