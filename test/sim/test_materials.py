"""Surfaces against what the catalogue promises of their material."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim import materials
from xmodal_ros.sim.relief import FAMILIES


@pytest.mark.parametrize("name", materials.CATALOGUE)
def test_an_instance_keeps_to_its_material(name):
    material = materials.CATALOGUE[name]
    surface = materials.draw(name, np.random.default_rng(3))

    assert surface.height.mean() == pytest.approx(0, abs=1e-8)
    assert np.abs(surface.height).mean() == pytest.approx(surface.roughness_m, rel=1e-3)
    assert material.roughness_m[0] <= surface.roughness_m <= material.roughness_m[1]
    assert material.friction[0] <= surface.friction <= material.friction[1]
    assert surface.albedo.min() >= 0
    assert surface.albedo.max() <= 1
    assert surface.albedo.std() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tile_repeats_without_a_seam(family):
    _, heights = FAMILIES[family](np.random.default_rng(5), 256)

    for axis in (0, 1):
        inside = np.abs(np.diff(heights, axis=axis)).mean(axis=1 - axis)
        seam = np.abs(np.take(heights, 0, axis) - np.take(heights, -1, axis)).mean()
        assert seam <= 1.5 * inside.max()


def test_a_texture_id_gives_the_same_surface_again():
    drawn = materials.draw("denim", np.random.default_rng(1))
    again = materials.from_id(drawn.texture_id)

    assert again.height.tobytes() == drawn.height.tobytes()
    assert again.albedo.tobytes() == drawn.albedo.tobytes()
    assert (again.friction, again.density) == (drawn.friction, drawn.density)


def test_a_number_means_another_surface_in_every_material():
    assert materials.from_id("denim-1").tile_m != materials.from_id("cotton-1").tile_m


def test_instances_of_a_material_differ():
    rng = np.random.default_rng(1)
    first, second = materials.draw("wood", rng), materials.draw("wood", rng)

    assert first.texture_id != second.texture_id
    assert np.corrcoef(first.height.ravel(), second.height.ravel())[0, 1] < 0.3


def test_an_unknown_material_is_told_which_there_are():
    with pytest.raises(SettingsError) as error:
        materials.draw("unobtainium", np.random.default_rng(0))

    assert str(error.value).startswith("material: unknown material 'unobtainium'; expected one of")
    assert "denim" in str(error.value)


@pytest.mark.parametrize("texture_id", ["denim", "denim-", "denim-seven"])
def test_a_broken_texture_id_is_refused(texture_id):
    with pytest.raises(SettingsError, match="denim"):
        materials.from_id(texture_id)
