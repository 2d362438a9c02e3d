"""Windows in a level frame: against scipy, and what mounting leaves of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.nn.architecture import ImuSettings
from xmodal_ros.nn.imu import ImuEncoder
from xmodal_ros.nn.level import level, rotations

RATE_HZ = 50.0


def turning(seed: int = 0, samples: int = 50) -> tuple[Rotation, np.ndarray]:
    """Poses of a sensor that turns fast in gravity, and its window `(samples, 6)`."""
    rng = np.random.default_rng(seed)
    rate = np.cumsum(rng.normal(0.0, 0.6, (samples, 3)), axis=0)
    poses = [Rotation.random(rng=rng)]
    for turn in (rate[1:] + rate[:-1]) / (2 * RATE_HZ):
        poses.append(poses[-1] * Rotation.from_rotvec(turn))
    pose = Rotation.concatenate(poses)
    return pose, np.hstack([pose.inv().apply((0.0, 0.0, 9.81)), rate]).astype(np.float32)


def found(window: np.ndarray) -> np.ndarray:
    return level(torch.from_numpy(window.astype(np.float32))[None], RATE_HZ)[0].numpy()


def test_rotations_are_scipys():
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    vectors[0], vectors[1] = 0.0, 1e-5
    expected = Rotation.from_rotvec(vectors).as_matrix()
    np.testing.assert_allclose(rotations(torch.from_numpy(vectors)), expected, atol=1e-9)


@pytest.mark.parametrize("samples", [2, 3, 50, 64, 127])
def test_gravity_stays_upwards_however_the_sensor_turns(samples):
    _, window = turning(samples=samples)
    made = found(window)
    np.testing.assert_allclose(made[:, :3], np.tile((0.0, 0.0, 9.81), (samples, 1)), atol=2e-4)


def test_a_turn_about_the_vertical_is_one_about_z():
    pose = Rotation.from_euler("xyz", (70.0, 20.0, 10.0), degrees=True)
    times = np.arange(50) / RATE_HZ
    poses = Rotation.from_rotvec(times[:, None] * (0.0, 0.0, 2.0)) * pose
    rate = poses.inv().apply((0.0, 0.0, 2.0))
    made = found(np.hstack([poses.inv().apply((0.0, 0.0, 9.81)), rate]))
    np.testing.assert_allclose(made[:, 3:], np.tile((0.0, 0.0, 2.0), (50, 1)), atol=1e-3)


def test_mounting_leaves_a_turn_about_z_alone():
    _, window = turning()
    window = window + np.random.default_rng(1).normal(0.0, 1.0, window.shape)
    one = found(window)
    for seed in range(5):
        mount = Rotation.random(rng=np.random.default_rng(seed))
        other = found(np.hstack([mount.apply(window[:, :3]), mount.apply(window[:, 3:])]))
        np.testing.assert_allclose(other[:, [2, 5]], one[:, [2, 5]], atol=1e-3)
        planes = [x[:, :2] @ np.linalg.pinv(x[:1, :2]) for x in (one, other)]
        np.testing.assert_allclose(planes[0], planes[1], rtol=1e-3, atol=1e-2)


def test_lengths_stay():
    _, window = turning()
    for columns in (slice(0, 3), slice(3, 6)):
        np.testing.assert_allclose(
            np.linalg.norm(found(window)[:, columns], axis=1),
            np.linalg.norm(window[:, columns], axis=1),
            rtol=1e-4,
        )


@pytest.mark.parametrize("down", [(0.0, 0.0, -9.81), (1e-4, 0.0, -9.81), (0.0, 0.03, -9.81)])
def test_upside_down(down):
    window = np.tile((*down, 0.0, 0.0, 0.0), (50, 1))
    np.testing.assert_allclose(found(window)[:, :3], np.tile((0, 0, 9.81), (50, 1)), atol=0.06)


def test_almost_upside_down_single_precision_is_enough():
    shakes = 5.0 * np.sin(2 * np.pi * np.arange(50) / 10)  # over whole periods: no mean
    tilts = np.linspace(0.005, 0.02, 16)
    windows = np.zeros((16, 50, 6))
    windows[:, :, 0] = shakes + 9.81 * tilts[:, None]
    windows[:, :, 1] = -shakes
    windows[:, :, 2] = -9.81
    single = level(torch.from_numpy(windows).float(), RATE_HZ).double()
    torch.testing.assert_close(
        single, level(torch.from_numpy(windows), RATE_HZ), atol=1e-3, rtol=0.0
    )


def test_nothing_at_all_stays_finite():
    assert not found(np.zeros((50, 6))).any()


@pytest.mark.parametrize("frame", ["sensor", "level", "both"])
def test_an_encoder_reads_the_frame_it_was_told(frame):
    torch.manual_seed(0)
    encoder = ImuEncoder(ImuSettings(samples=50, patch=10, stride=10, frame=frame)).eval()
    _, window = turning()
    windows = torch.from_numpy(window)[None]
    seen = []
    encoder.norm.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    encoder(windows)
    turned = level(windows, RATE_HZ)
    expected = {"sensor": [windows], "level": [turned], "both": [windows, turned]}[frame]
    torch.testing.assert_close(seen[0], torch.cat(expected, dim=2).transpose(1, 2))


def test_twelve_channels_have_no_level_frame():
    with pytest.raises(
        SettingsError, match=r"frame: got 'level'; expected sensor: .* 12 channels"
    ):
        ImuSettings(channels=12, frame="level")
