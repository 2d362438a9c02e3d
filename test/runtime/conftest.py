"""Observations that fit `tiny_bundle`, and a graph cache that belongs to the test session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.runtime.bundle import Bundle

STEP_NS = 100_000_000
FRAMES = 4


@pytest.fixture(scope="session", autouse=True)
def graph_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Converted graphs are kept for the session and thrown away with it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def frame(stream: str, step: int) -> np.ndarray:
    """The image that a stream gave at a step: always the same."""
    seed = [100 + step, *stream.encode()]
    return np.random.default_rng(seed).integers(0, 256, (96, 128, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def observe() -> Callable[..., Observation]:
    """`observe(step, streams)`: consecutive steps share all but one image of a gel's clip."""

    def observe(
        step: int = 0,
        streams: tuple[str, ...] = ("camera", "tactile_left", "tactile_right", "imu"),
    ) -> Observation:
        made = {}
        for name in streams:
            if name == "imu":
                window = np.random.default_rng(step).normal(size=(64, 6)).astype(np.float32)
                made[name] = StreamData(Modality.IMU, window, (0, step * STEP_NS), 0)
            elif name == "camera":
                stamps = (step * STEP_NS,)
                made[name] = StreamData(Modality.CAMERA, frame(name, step), stamps, 3)
            else:
                steps = range(step - FRAMES + 1, step + 1)
                clip = tuple(frame(name, s) for s in steps)
                stamps = tuple(s * STEP_NS for s in steps)
                made[name] = StreamData(Modality.TACTILE, clip[-1], stamps, 0, frames=clip)
        return Observation(step * STEP_NS, "hand", streams[0], made)

    return observe
