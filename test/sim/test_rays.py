"""Rays against surfaces whose places are known in closed form."""

from __future__ import annotations

import numpy as np

from xmodal_ros.sim.rays import Rays, cast, moving_geoms, without_moving

DOWN, UP, SIDE = (0.0, 0.0, -1.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)


def test_hits_have_distance_geom_and_normal(toy) -> None:
    rays = Rays(np.array([0.1, 0.1, 0.25]), np.array([DOWN, UP, SIDE], np.float32))
    hits = cast(toy.model, toy.data, rays)
    assert hits.geom.tolist() == [toy.geom("can"), -1, -1]
    np.testing.assert_allclose(hits.distance, [0.15, np.inf, np.inf], atol=1e-6)
    np.testing.assert_allclose(hits.normal, [UP, (0, 0, 0), (0, 0, 0)], atol=1e-6)


def test_only_what_moves(toy) -> None:
    rays = Rays(np.array([0.3, 0.3, 0.25]), np.array([DOWN], np.float32))
    assert cast(toy.model, toy.data, rays).geom.tolist() == [toy.geom("table")]
    assert cast(toy.model, toy.data, rays, moving_only=True).geom.tolist() == [-1]


def test_only_what_is_fixed(toy) -> None:
    rays = Rays(np.array([0.1, 0.1, 0.25]), np.array([DOWN], np.float32))
    assert cast(without_moving(toy.model), toy.data, rays).geom.tolist() == [toy.geom("table")]
    assert cast(toy.model, toy.data, rays).geom.tolist() == [toy.geom("can")]


def test_geoms_for_physics_alone_are_not_seen(toy) -> None:
    rays = Rays(np.array([0.18, 0.0, 0.6]), np.array([DOWN], np.float32))
    assert cast(toy.model, toy.data, rays).geom.tolist() == [toy.geom("table")]


def test_moving_geoms(toy) -> None:
    assert moving_geoms(toy.model).tolist() == [toy.geom(n) for n in ("can", "arm", "hand")]


def test_no_rays(toy) -> None:
    hits = cast(toy.model, toy.data, Rays(np.zeros(3), np.zeros((0, 3), np.float32)))
    assert (hits.distance.shape, hits.geom.shape, hits.normal.shape) == ((0,), (0,), (0, 3))
