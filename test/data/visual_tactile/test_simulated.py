"""What `xmodal sim dataset` writes is what the reader reads."""

from __future__ import annotations

import pytest

from xmodal_ros.data.visual_tactile import open_dataset
from xmodal_ros.data.visual_tactile.check import check

pytest.importorskip("mujoco", reason="requirements/sim.txt is not installed")

COARSE = [
    "camera.width=32", "camera.height=32", "camera_wrist.enabled=false", "gel.width=64",
    "gel.height=48", "lidar.steps=64", "lidar.rings=8", "camera_clock.rate_hz=10",
    "lidar_clock.rate_hz=1", "tactile_left_clock.rate_hz=10", "tactile_right_clock.rate_hz=10",
    "imu_clock.rate_hz=50", "scene.objects=1", "scene.materials=felt",
]  # fmt: skip


def test_an_episode_of_the_cell(tmp_path) -> None:
    from xmodal_ros.sim.dataset import make_dataset
    from xmodal_ros.sim.settings import read_overrides

    (facts,) = make_dataset(tmp_path / "cell", 1, 7, read_overrides(COARSE))
    data = open_dataset(tmp_path / "cell")
    assert data.kind == "simulated_cell"
    assert check(data).good
    assert len(data.examples) == pytest.approx(facts.seconds / 0.2, rel=0.1)
    touched = [e for e in data.examples if e.labels.get("material") == "felt"]
    assert touched
    assert {(e.labels["hardness"], e.labels["roughness"]) for e in touched} == {("soft", "rough")}
    assert set(data.classes("grasp")) <= {"fail", "success"}
    images = data.load(data.examples[-1])
    assert {stream: clip.shape for stream, clip in images.items()} == {
        "camera": (1, 32, 32, 3),
        "tactile_left": (1, 48, 64, 3),
        "tactile_right": (1, 48, 64, 3),
    }
