"""Pictures against light that is known in closed form, and against every ray cast anew."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.camera import Camera, CameraSettings, CameraUnit, draw_camera_unit
from xmodal_ros.sim.rays import Rays, cast
from xmodal_ros.sim.shading import Lighting, Painter

SMALL = CameraSettings(width=80, height=64)
UNIT = CameraUnit(
    exposure=0.2, white=(1.0, 1.0, 1.0), blur_px=0.5, vignette=0.0, shot=1e-5, read=1e-4
)
CENTRE = np.zeros(3)


def _camera(toy, name: str = "cell", unit: CameraUnit = UNIT, surfaces=()) -> Camera:
    lighting = Lighting(toy.model, toy.data, CENTRE, 0.6)
    painter = Painter(toy.model, dict(surfaces))
    return Camera(toy.model, toy.data, name, painter, lighting, unit, SMALL)


def _point(camera: Camera, toy, place) -> tuple[int, int]:
    """Row and column of a point of the world in the picture."""
    position, rotation = camera.pose(toy.data)
    u, v, w = camera.matrix @ rotation.T @ (np.asarray(place) - position)
    return round(v / w), round(u / w)


@pytest.mark.parametrize("seed", range(6))
def test_the_kept_backdrop_changes_nothing(toy, seed: int) -> None:
    rng = np.random.default_rng(seed)
    fixed, free = _camera(toy), _camera(toy, "free")  # of the same pose
    for body in ("can", "arm"):
        toy.place(body, rng.uniform((-0.3, -0.3, 0.05), (0.3, 0.3, 0.6)), (0.8, 0.6, 0, 0))
    np.testing.assert_allclose(fixed.radiance(toy.data), free.radiance(toy.data), atol=1e-5)


def test_light_on_a_flat_thing(toy) -> None:
    camera, place = _camera(toy), np.array([0.3, 0.3, 0.0])
    light = camera.radiance(toy.data)[_point(camera, toy, place)]
    position, _ = camera.pose(toy.data)
    albedo, up = np.array([0.5, 0.4, 0.3]), np.array([0, 0, 1.0])
    expected = albedo * 0.2
    for lamp, strength in (((0.4, -0.3, 1.5), 0.8), ((-1, 1, 1), 0.2)):
        towards = _unit(np.array(lamp) - place)
        highlight = 0.1 * (_unit(towards + _unit(position - place)) @ up) ** 20
        expected = expected + strength * (albedo * (towards @ up) + highlight)
    np.testing.assert_allclose(light, expected, rtol=0.03)  # the pixel's middle is beside it


def test_shadow_is_where_a_ray_to_the_light_is_blocked(toy) -> None:
    toy.place("can", (0.0, 0.0, 0.05))
    toy.place("arm", (0.0, 0.0, -5.0))
    camera, key = _camera(toy), np.array([0.4, -0.3, 1.5])
    light = camera.radiance(toy.data)
    for place in ((-0.06, 0.03, 0.0), (0.08, -0.05, 0.0), (-0.3, -0.3, 0.0)):
        ray = Rays(np.array([*place[:2], 1e-4]), _unit(key - place)[None])
        blocked = cast(toy.model, toy.data, ray).geom[0] >= 0
        assert blocked == (place[0] == -0.06)
        assert (light[_point(camera, toy, place)][0] < 0.35) == blocked


def test_a_surface_gives_colour_and_slope(toy) -> None:
    asked = {}

    def sample(points, normals, footprint_m):
        asked.update(points=points, normals=normals, footprint_m=footprint_m)
        albedo = np.where(points[:, :1] > 0, (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
        return np.zeros(len(points)), albedo.astype(np.float32), np.zeros_like(points)

    surface = SimpleNamespace(sample=sample, specular=0.0, gloss=0.0)
    toy.place("can", (0.1, 0.1, 0.05), (0, 0, 0, 1))  # turned by half a turn: its x axis is -x
    toy.place("arm", (0.0, 0.0, -5.0))
    camera = _camera(toy, surfaces={toy.geom("can"): surface})
    light = camera.radiance(toy.data)
    near, far = (light[_point(camera, toy, (0.1 + dx, 0.1, 0.1))] for dx in (0.02, -0.02))
    assert near[2] > 5 * near[1] + 0.1
    assert far[1] > 5 * far[2] + 0.1
    assert np.all(np.hypot(asked["points"][:, 0], asked["points"][:, 1]) < 0.041)
    assert np.all(np.abs(asked["points"][:, 2]) < 0.051)
    np.testing.assert_allclose(np.linalg.norm(asked["normals"], axis=1), 1, atol=1e-5)
    distance = np.linalg.norm(camera.pose(toy.data)[0] - (0.1, 0.1, 0.05))
    assert asked["footprint_m"].min() == pytest.approx(distance / camera.matrix[0, 0], rel=0.2)


def test_same_seed_same_picture(toy) -> None:
    unit = draw_camera_unit(np.random.default_rng(3))
    a, b, c = (
        _camera(toy, unit=unit).render(toy.data, np.random.default_rng(s)) for s in (1, 1, 2)
    )
    assert (a.shape, a.dtype) == ((64, 80, 3), np.uint8)
    assert a.tobytes() == b.tobytes() != c.tobytes()


def test_exposure_is_that_of_the_first_picture(toy) -> None:
    camera, rng = _camera(toy), np.random.default_rng(0)
    first = camera.render(toy.data, rng) / 255
    linear = np.where(first <= 0.04045, first / 12.92, ((first + 0.055) / 1.055) ** 2.4)
    assert linear.mean() == pytest.approx(0.2, rel=0.05)
    toy.place("can", toy.data.cam_xpos[0] - (0.1, 0, 0.1))  # a dark thing close to the lens
    assert camera.render(toy.data, rng).mean() < 0.8 * 255 * first.mean()


def test_noise_grows_with_light(toy) -> None:
    unit = CameraUnit(
        exposure=0.2, white=(1.0, 1.0, 1.0), blur_px=0.5, vignette=0.0, shot=4e-4, read=1e-3
    )
    camera, rng = _camera(toy, unit=unit), np.random.default_rng(0)
    shots = np.stack([camera.render(toy.data, rng) for _ in range(40)]) / 255
    linear = np.where(shots <= 0.04045, shots / 12.92, ((shots + 0.055) / 1.055) ** 2.4)
    mean, variance = linear.mean(axis=0).ravel(), linear.var(axis=0).ravel()
    bright, dark = mean > np.quantile(mean, 0.8), mean < np.quantile(mean, 0.2)
    for part in (bright, dark):
        expected = 4e-4 * mean[part].mean() + 1e-3**2
        assert variance[part].mean() == pytest.approx(expected, rel=0.25)


def test_unknown_camera_names_those_there_are(toy) -> None:
    text = r"camera: no camera 'roof'; expected one of cell, free"
    with pytest.raises(SettingsError, match=text):
        _camera(toy, "roof")


def test_size_out_of_range() -> None:
    text = r"camera\.width: got 8; expected a value from 16 to 4096 px"
    with pytest.raises(SettingsError, match=text):
        CameraSettings(width=8)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
