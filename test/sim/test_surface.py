"""Looking up a surface: positions, repetition, slopes and averaging."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.sim import materials

UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def surface():
    return materials.draw("hammered_metal", np.random.default_rng(2))


def _facing(normal, count):
    return np.broadcast_to(normal, (count, 3))


def test_a_texel_is_found_at_its_place_and_one_tile_further(surface):
    texel = surface.tile_m / len(surface.height)
    points = np.array([[20 * texel, 7 * texel, 0.4]])
    beyond = points + surface.tile_m * np.array([2, -3, 0])

    height, albedo, _ = surface.sample(np.vstack([points, beyond]), _facing(UP, 2))

    assert height == pytest.approx([surface.height[7, 20]] * 2, rel=0.02)
    assert albedo == pytest.approx(np.tile(surface.albedo[7, 20], (2, 1)), rel=0.02)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gel_and_camera_see_the_same_relief_on_every_side(surface, axis):
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (500, 3))
    normals = _facing(-np.eye(3)[axis], 500)
    plane = np.delete(points, axis, axis=1)

    seen, _, _ = surface.sample(points, normals)

    assert seen == pytest.approx(surface.heights(plane[:, 0], plane[:, 1]), abs=1e-9)


def test_normals_lean_against_the_slope(surface):
    points = np.random.default_rng(1).uniform(-0.02, 0.02, (500, 3))
    step = surface.tile_m / len(surface.height)
    x, y = points[:, 0], points[:, 1]
    across = (surface.heights(x + step, y) - surface.heights(x - step, y)) / (2 * step)
    along = (surface.heights(x, y + step) - surface.heights(x, y - step)) / (2 * step)

    _, _, tilt = surface.sample(points, _facing(UP, 500))

    assert tilt == pytest.approx(-np.stack([across, along, 0 * along], axis=1), abs=0.02)
    assert np.abs(across).max() > 0.1


def test_a_wide_pixel_sees_the_average(surface):
    points = np.random.default_rng(1).uniform(-0.02, 0.02, (2000, 3))

    _, fine, tilt = surface.sample(points, _facing(UP, 2000))
    _, coarse, flat = surface.sample(points, _facing(UP, 2000), surface.tile_m)

    assert coarse.mean(axis=0) == pytest.approx(surface.albedo.mean(axis=(0, 1)), rel=0.02)
    assert coarse.std(axis=0).max() < 0.5 * fine.std(axis=0).max()
    assert np.abs(flat).max() < 0.2 * np.abs(tilt).max()


def test_each_point_may_have_its_own_footprint(surface):
    points = np.random.default_rng(4).uniform(-0.02, 0.02, (100, 3))
    widths = np.repeat([1e-5, 2e-3], 50)

    mixed = surface.sample(points, _facing(UP, 100), widths)[1]

    assert (mixed[:50] == surface.sample(points[:50], _facing(UP, 50), 1e-5)[1]).all()
    assert (mixed[50:] == surface.sample(points[50:], _facing(UP, 50), 2e-3)[1]).all()


def test_a_soft_object_takes_a_part_of_the_overlap_itself():
    rng = np.random.default_rng(0)
    sponge, steel = materials.draw("sponge", rng), materials.draw("brushed_steel", rng)

    assert sponge.gel_share == pytest.approx(10**sponge.hardness / (10**sponge.hardness + 0.15e6))
    assert sponge.gel_share < 0.6
    assert steel.gel_share == pytest.approx(1, abs=1e-4)
