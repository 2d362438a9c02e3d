"""Peers of the IMU encoder: what they read, and that they learn what is there."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.data.inertial.augment import remount
from xmodal_ros.train.align.peers import PEERS, Peer, fit_peer

pytest.importorskip("torch")
RATE_HZ = 50.0


def shaken(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of a sensor that rests, or that is shaken up and down at 2 or at 5 Hz."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    phase = rng.uniform(0.0, 6.28, (count, 1))
    hz = np.array([0.0, 2.0, 5.0])[labels][:, None]
    windows = rng.normal(0.0, 0.2, (count, 50, 6))
    windows[..., 2] += 9.81 + 5.0 * (labels > 0)[:, None] * np.sin(
        6.28 * hz * np.arange(50) / RATE_HZ + phase
    )
    return windows.astype(np.float32), labels


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_learns_and_its_probabilities_sum_to_one(name):
    if "MiniRocket" in name:
        pytest.importorskip("aeon")
    predict = fit_peer(PEERS[name], *shaken(90, 0), 4, RATE_HZ, seed=0)
    windows, labels = shaken(60, 1)
    said = predict(windows)
    assert said.shape == (60, 4)
    np.testing.assert_allclose(said.sum(1), 1.0)
    assert said.min() > 0  # also of the class that was in no training window
    right = (said.argmax(1) == labels).mean()
    assert right == pytest.approx(1 / 3) if name == "majority" else right > 0.9


@pytest.mark.parametrize("name", ["random forest, level frame", "MiniRocket, rotations"])
def test_who_trained_with_rotations_or_leveled_does_not_mind_them(name):
    """The shaken axis is x of a sensor that is mounted otherwise."""
    if "MiniRocket" in name:
        pytest.importorskip("aeon")
    windows, labels = shaken(120, 0)
    worn, labels_worn = shaken(90, 1)
    turned = remount(worn, np.random.default_rng(2), 1.0, 0.0)
    predict = fit_peer(PEERS[name], windows, labels, 3, RATE_HZ, seed=0)
    right = (predict(turned).argmax(1) == labels_worn).mean()
    assert right > 0.9


def test_copies_of_the_training_windows_are_turned():
    seen = []

    class Spy:
        classes_ = np.array([0, 1])

        def fit(self, features, labels):
            seen.append((features, labels))

    windows = shaken(6, 0)[0]
    labels = np.array([0, 1, 0, 1, 0, 1])
    peer = Peer(lambda seed: Spy(), lambda some, rate_hz: some, copies=2)
    fit_peer(peer, windows, labels, 2, RATE_HZ, seed=0)
    features, answers = seen[0]
    np.testing.assert_array_equal(answers, np.tile(labels, 3))
    np.testing.assert_array_equal(features[:6], windows)
    sizes = np.linalg.norm(features.reshape(3, 6, 50, 2, 3), axis=-1)
    np.testing.assert_allclose(sizes[1:], sizes[:1].repeat(2, axis=0), rtol=1e-4)
    assert np.abs(features[6:12] - features[12:]).max() > 1.0


def test_minirocket_leaves_the_threads_of_torch_as_they_were():
    torch = pytest.importorskip("torch")
    pytest.importorskip("aeon")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        fit_peer(PEERS["MiniRocket"], *shaken(12, 0), 3, RATE_HZ, seed=0)(shaken(3, 1)[0])
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
