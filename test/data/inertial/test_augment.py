"""Random mounting: what turns, how far, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xmodal_ros.data.inertial.augment import remount, turn
from xmodal_ros.data.inertial.windows import TWELVE


@pytest.fixture
def six():
    rng = np.random.default_rng(1)
    return rng.normal(size=(4000, 8, 6)), np.ones((4000, 2), bool)


def test_turning_keeps_sizes_and_angles(six) -> None:
    """Also between acceleration and angular rate, since both turn together."""
    values, present = six
    turned, there = turn(values, present, np.random.default_rng(0))
    before, after = (v.reshape(4000, 16, 3) for v in (values, turned))
    np.testing.assert_allclose(before @ before.swapaxes(1, 2), after @ after.swapaxes(1, 2))
    volume = np.linalg.det(after[:, :3]) / np.linalg.det(before[:, :3])
    np.testing.assert_allclose(volume, 1.0)  # not mirrored
    np.testing.assert_array_equal(there, present)
    assert np.abs(turned - values).max() > 1.0


def test_turns_are_uniform(six) -> None:
    """A fixed direction goes anywhere: mean 0, and each coordinate uniform in [-1, 1]."""
    values = np.tile((0.0, 0.0, 1.0), (4000, 1, 2))
    turned, _ = turn(values, six[1], np.random.default_rng(0))
    directions = turned[:, 0, :3]
    quantiles = np.quantile(directions, (0.1, 0.25, 0.5, 0.75, 0.9), axis=0)
    expected = np.array([-0.8, -0.5, 0.0, 0.5, 0.8])[:, None]
    np.testing.assert_allclose(quantiles, np.repeat(expected, 3, axis=1), atol=0.06)


def test_the_seed_decides(six) -> None:
    first, again, other = (turn(*six, np.random.default_rng(seed))[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_devices_turn_by_themselves_and_orientation_is_absent() -> None:
    values = np.tile(np.array((1.0, 2.0, 3.0)), (50, 2, 4)).astype(np.float32)
    present = np.ones((50, 4), bool)
    turned, there = turn(values, present, np.random.default_rng(0), TWELVE)
    watch, phone, gyro, orientation = np.split(turned, 4, axis=2)
    np.testing.assert_array_equal(phone, gyro)
    assert not np.isclose(watch, phone).all(axis=2).any()
    assert not orientation.any()
    assert there.tolist() == [[True, True, True, False]] * 50
    assert turned.dtype == np.float32
    assert present.all()


def test_a_sensor_stays_where_it_is_unless_told(six) -> None:
    values, _ = six
    np.testing.assert_allclose(remount(values, np.random.default_rng(0), 0.0, 0.0), values)


def test_small_turns_are_as_large_as_told(six) -> None:
    made = remount(six[0], np.random.default_rng(0), 0.0, 15.0)
    before, after = (v.reshape(4000, 16, 3) for v in (six[0], made))
    np.testing.assert_allclose(before @ before.swapaxes(1, 2), after @ after.swapaxes(1, 2))
    pairs = zip(before[:500], after[:500], strict=True)
    angles = [Rotation.align_vectors(b, a)[0].magnitude() for b, a in pairs]
    assert np.rad2deg(np.sqrt(np.square(angles).mean())) == pytest.approx(15.0, rel=0.1)


def test_a_share_is_mounted_anyhow(six) -> None:
    made = remount(six[0], np.random.default_rng(0), 0.25, 0.0)
    before, after = (v.reshape(4000, 16, 3) for v in (six[0], made))
    np.testing.assert_allclose(before @ before.swapaxes(1, 2), after @ after.swapaxes(1, 2))
    moved = ~np.isclose(before, after).all((1, 2))
    assert moved.mean() == pytest.approx(0.25, abs=0.03)
    assert np.linalg.norm(after - before, axis=2)[moved].mean() > 1.0
