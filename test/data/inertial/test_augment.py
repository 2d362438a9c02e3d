"""Random mounting: what turns, how far, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xmodal_ros.data.inertial.augment import remount


@pytest.fixture
def six():
    return np.random.default_rng(1).normal(size=(4000, 8, 6))


def anyhow(values, seed=0):
    return remount(values, np.random.default_rng(seed), 1.0, 0.0)


def test_turning_keeps_sizes_and_angles(six) -> None:
    """Also between acceleration and angular rate, since both turn together."""
    turned = anyhow(six)
    before, after = (v.reshape(4000, 16, 3) for v in (six, turned))
    np.testing.assert_allclose(before @ before.swapaxes(1, 2), after @ after.swapaxes(1, 2))
    volume = np.linalg.det(after[:, :3]) / np.linalg.det(before[:, :3])
    np.testing.assert_allclose(volume, 1.0)  # not mirrored
    assert np.abs(turned - six).max() > 1.0


def test_turns_are_uniform() -> None:
    """A fixed direction goes anywhere: mean 0, and each coordinate uniform in [-1, 1]."""
    values = np.tile((0.0, 0.0, 1.0), (4000, 1, 2))
    directions = anyhow(values)[:, 0, :3]
    quantiles = np.quantile(directions, (0.1, 0.25, 0.5, 0.75, 0.9), axis=0)
    expected = np.array([-0.8, -0.5, 0.0, 0.5, 0.8])[:, None]
    np.testing.assert_allclose(quantiles, np.repeat(expected, 3, axis=1), atol=0.06)


def test_the_seed_decides(six) -> None:
    first, again, other = (anyhow(six, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_sensor_stays_where_it_is_unless_told(six) -> None:
    np.testing.assert_allclose(remount(six, np.random.default_rng(0), 0.0, 0.0), six)


def test_small_turns_are_as_large_as_told(six) -> None:
    made = remount(six, np.random.default_rng(0), 0.0, 15.0)
    before, after = (v.reshape(4000, 16, 3) for v in (six, made))
    np.testing.assert_allclose(before @ before.swapaxes(1, 2), after @ after.swapaxes(1, 2))
    pairs = zip(before[:500], after[:500], strict=True)
    angles = [Rotation.align_vectors(b, a)[0].magnitude() for b, a in pairs]
    assert np.rad2deg(np.sqrt(np.square(angles).mean())) == pytest.approx(15.0, rel=0.1)


def test_a_share_is_mounted_anyhow(six) -> None:
    made = remount(six, np.random.default_rng(0), 0.25, 0.0)
    before, after = (v.reshape(4000, 16, 3) for v in (six, made))
    np.testing.assert_allclose(before @ before.swapaxes(1, 2), after @ after.swapaxes(1, 2))
    moved = ~np.isclose(before, after).all((1, 2))
    assert moved.mean() == pytest.approx(0.25, abs=0.03)
    assert np.linalg.norm(after - before, axis=2)[moved].mean() > 1.0
