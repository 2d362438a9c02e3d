"""A view that casts only where something may have moved sees what casting all rays sees."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.sim.rays import cast
from xmodal_ros.sim.view import Pinhole, View


def test_rays_go_through_the_pixels_they_are_projected_to() -> None:
    pinhole = Pinhole.from_fov(7, 5, np.radians(60))
    rays = pinhole.rays(np.zeros(3), np.eye(3))
    u, v = pinhole.project(rays.directions * np.linspace(1, 3, 35)[:, None]).T
    np.testing.assert_allclose(u.reshape(5, 7), np.tile(np.arange(7) + 0.5, (5, 1)), atol=1e-5)
    np.testing.assert_allclose(v.reshape(5, 7).T, np.tile(np.arange(5) + 0.5, (7, 1)), atol=1e-5)


def test_field_of_view() -> None:
    pinhole = Pinhole.from_fov(100, 100, np.radians(90))
    np.testing.assert_allclose(pinhole.project(np.array([0.0, 1.0, -1.0])), [50, 0], atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_looking_is_casting_everything(toy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    camera = toy.model.camera("cell").id
    place, turn = toy.data.cam_xpos[camera], toy.data.cam_xmat[camera].reshape(3, 3)
    view = View(toy.model, toy.data, Pinhole.from_fov(96, 64, 0.8), place, turn)
    for body in ("can", "arm"):  # in sight, beside it, behind the camera and around it
        toy.place(body, rng.uniform((-0.5, -0.5, 0), (1.2, 0.5, 0.8)), _turn(rng))
    pixels, hits = view.look(toy.data)
    seen = view.fixed.geom.copy()
    seen[pixels] = hits.geom
    np.testing.assert_array_equal(seen, cast(toy.model, toy.data, view.rays).geom)


def test_an_arm_around_the_camera_is_seen(toy) -> None:
    camera = toy.model.camera("cell").id
    place, turn = toy.data.cam_xpos[camera], toy.data.cam_xmat[camera].reshape(3, 3)
    view = View(toy.model, toy.data, Pinhole.from_fov(96, 64, 0.8), place, turn)
    lying = (0.5**0.5, 0, 0.5**0.5, 0)
    toy.place("arm", place - turn[:, 2] * 0.1 - turn[:, 1] * 0.2, lying)
    pixels, hits = view.look(toy.data)
    whole = cast(toy.model, toy.data, view.rays)
    assert set(hits.geom) >= {toy.geom("arm")}
    np.testing.assert_array_equal(pixels, np.flatnonzero(whole.geom >= toy.geom("can")))


def _turn(rng: np.random.Generator) -> np.ndarray:
    quaternion = rng.normal(size=4)
    return quaternion / np.linalg.norm(quaternion)
