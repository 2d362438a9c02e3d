"""Scans of surfaces whose places are known, and what makes them imperfect."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.lidar import Lidar, LidarSettings, LidarUnit, draw_lidar_unit

SETTINGS = LidarSettings(rings=8, steps=512, lowest_deg=-60.0, highest_deg=-10.0)
PERFECT = LidarUnit(range_noise_m=0.0, elevation_deg=(0.0,) * 8, weakest=1e-6, lost=0.0)


def _lidar(toy, unit: LidarUnit = PERFECT, reflectivity: float = 0.5) -> Lidar:
    classes = np.arange(toy.model.ngeom).astype(np.uint8)
    shares = np.full(toy.model.ngeom, reflectivity)
    return Lidar(toy.model, "lidar", classes, shares, unit, SETTINGS)


def test_points_lie_on_what_they_are_labelled_as(toy) -> None:
    lidar = _lidar(toy)
    scan = lidar.scan(toy.data, np.random.default_rng(0))
    position, rotation = lidar.pose(toy.data)
    world = scan.points[:, :3] @ rotation.T + position
    for name, height in (("table", 0.0), ("floor", -0.7)):
        flat = world[(scan.labels == toy.geom(name)) & (world[:, 2] < 0.001)]
        assert len(flat) > 20
        upright = np.abs(flat[:, 2] - height) > 1e-5
        assert np.all(np.abs(np.abs(flat[upright, :2]).max(axis=1, initial=0) - 0.5) < 1e-5)
    can = world[scan.labels == toy.geom("can")] - toy.data.body("can").xpos
    assert len(can) > 3
    assert np.all((np.hypot(can[:, 0], can[:, 1]) < 0.0401) & (np.abs(can[:, 2]) < 0.0501))


def test_intensity_falls_with_the_angle(toy) -> None:
    scan = _lidar(toy).scan(toy.data, np.random.default_rng(0))
    floor = scan.points[scan.labels == toy.geom("floor")]
    cosine = 1.2 / np.linalg.norm(floor[:, :3], axis=1)  # the sensor is 1.2 m above it
    np.testing.assert_allclose(floor[:, 3], 0.5 * cosine, rtol=0.2)


def test_noise_is_along_the_ray(toy) -> None:
    noisy = LidarUnit(range_noise_m=0.02, elevation_deg=(0.0,) * 8, weakest=1e-6, lost=0.0)
    exact = _lidar(toy).scan(toy.data, np.random.default_rng(0)).points[:, :3]
    seen = _lidar(toy, noisy).scan(toy.data, np.random.default_rng(0)).points[:, :3]
    length = np.linalg.norm(exact, axis=1)
    error = np.linalg.norm(seen, axis=1) - length
    assert error.std() == pytest.approx(0.02, rel=0.15)
    np.testing.assert_allclose(seen, exact * (1 + error / length)[:, None], atol=1e-5)


def test_lost_and_weak_returns_are_missing(toy) -> None:
    everything = len(_lidar(toy).scan(toy.data, np.random.default_rng(0)).points)
    lossy = LidarUnit(range_noise_m=0.0, elevation_deg=(0.0,) * 8, weakest=1e-6, lost=0.2)
    lost = len(_lidar(toy, lossy).scan(toy.data, np.random.default_rng(0)).points)
    assert lost == pytest.approx(0.8 * everything, rel=0.1)
    dark = _lidar(toy, reflectivity=0.0).scan(toy.data, np.random.default_rng(0))
    assert (dark.points.shape, dark.labels.shape) == ((0, 4), (0,))


def test_same_seed_same_scan(toy) -> None:
    unit = draw_lidar_unit(np.random.default_rng(1), SETTINGS)
    a, b, c = (_lidar(toy, unit).scan(toy.data, np.random.default_rng(s)) for s in (5, 5, 6))
    assert a.points.tobytes() == b.points.tobytes() != c.points.tobytes()


def test_unknown_site_names_those_there_are(toy) -> None:
    with pytest.raises(SettingsError, match=r"lidar: no site 'roof'; expected one of lidar"):
        Lidar(toy.model, "roof", np.zeros(9), np.zeros(9), PERFECT, SETTINGS)


def test_rings_upside_down_are_refused() -> None:
    text = r"lidar\.lowest_deg: got 20\.0; expected at most highest_deg, 15\.0"
    with pytest.raises(SettingsError, match=text):
        LidarSettings(lowest_deg=20.0)
