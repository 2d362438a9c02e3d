"""Generated examples and a small recipe, so that a training run takes a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from xmodal_ros.runtime.backends import create  # noqa: E402
from xmodal_ros.train import features  # noqa: E402
from xmodal_ros.train.examples import Index  # noqa: E402
from xmodal_ros.train.recipe import Recipe, Schedule  # noqa: E402

PEOPLE, EACH, SAMPLES = 6, 20, 32


@pytest.fixture(scope="session", autouse=True)
def eager_features() -> Iterator[None]:
    """Frozen features by torch: OpenVINO converts every encoder anew, for seconds each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "create", lambda name, *rest: create("torch", *rest))
        yield


class Waves:
    """IMU windows of a class's own frequency; the last of six people is the test part."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        labels = np.tile(np.arange(5), PEOPLE * EACH // 5)
        time = np.arange(SAMPLES)[None, :, None] / SAMPLES
        phase = rng.uniform(0, 6, (len(labels), 1, 6))
        self.windows = np.sin(6.28 * (1 + labels[:, None, None]) * time + phase).astype(np.float32)
        people = np.repeat([f"s{p:02d}" for p in range(PEOPLE)], EACH)
        self.index = Index(
            targets=np.eye(5, dtype=np.float32)[labels],
            groups=people,
            test=people == people[-1],
            scored=np.ones(len(labels), bool),
        )

    def batch(self, chosen, rng):
        windows = self.windows[chosen]
        if rng is not None:
            windows = windows + rng.normal(0, 0.05, windows.shape).astype(np.float32)
        return {"imu": torch.from_numpy(windows)}


class Frozen:
    """What a frozen camera encoder might have given: tokens and pooled features in two views."""

    def __init__(self, tokens: int, width: int, pooled: int) -> None:
        rng = np.random.default_rng(0)
        labels = np.arange(40) % 3
        self.tokens = rng.normal(labels[:, None, None], 1.0, (40, tokens, width)).astype(
            np.float32
        )
        self.pooled = rng.normal(labels[:, None], 1.0, (40, pooled)).astype(np.float32)
        self.index = Index(
            targets=np.eye(3, dtype=np.float32)[labels],
            groups=np.array([str(i) for i in range(40)]),
            test=np.zeros(40, bool),
            scored=np.ones(40, bool),
        )

    def batch(self, chosen, rng):
        return {
            "camera": (
                torch.from_numpy(self.tokens[chosen]),
                torch.from_numpy(self.pooled[chosen]),
            )
        }

    def pairs(self, chosen, rng):
        noise = rng.normal(0, 0.1, (2, len(chosen), self.pooled.shape[1])).astype(np.float32)
        return self.pooled[chosen] + noise[0], self.pooled[chosen] + noise[1]


@pytest.fixture
def waves() -> Waves:
    return Waves()


@pytest.fixture
def make_frozen() -> type[Frozen]:
    return Frozen


@pytest.fixture
def recipe() -> Recipe:
    imu = {"kind": "imu", "samples": SAMPLES, "patch": 8, "stride": 8, "width": 32, "depth": 1}
    return Recipe(
        name="waves",
        task="activity",
        branches={"imu": imu},
        streams={"imu": "imu"},
        schedule=Schedule(steps=60, batch=32, learning_rate=3e-3, contrastive_steps=0),
        trunk={"dim": 32, "attention_heads": 4},
    )
