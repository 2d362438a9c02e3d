"""An arm in one process: gel cameras and perception, found by other nodes under its namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from sensor_msgs.msg import Image

from xmodal_msgs.msg import GraspSuccess

SMALL = {"path": "synthetic", "width": 64, "height": 48}


@pytest.fixture
def robot(tmp_path: Path, tiny_bundle: Path) -> Path:
    """File of a robot with two arms; the right one's camera is missing."""
    perception = {
        "streams": {"tactile_left": {"required": True}, "tactile_right": {}},
        "inference": {"bundle": str(tiny_bundle), "backend": "torch", "threads": 1},
    }
    both = {"tactile_left": {"device": SMALL}, "tactile_right": {"device": SMALL}}
    missing = {"tactile_left": {"device": {"path": "/dev/video99"}}}
    arms = {
        "left": {"gels": both, "perception": perception},
        "right": {"gels": missing, "perception": perception},
    }
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump({"arms": arms}))
    return path


def test_an_arm_predicts_from_the_gel_cameras_beside_it(
    graph: Any, processes: Any, robot: Path
) -> None:
    process = processes.start("robot", str(robot), "--arm", "left")
    images = graph.collect("/left/tactile_right/image_raw", Image)
    grasps = graph.collect("/left/perception/grasp", GraspSuccess)
    graph.until(lambda: images and grasps)
    assert images[0].header.frame_id == "left_tactile_right"
    assert grasps[0].header.frame_id == "left_tactile_left"  # of the anchor
    assert set(graph.peer.get_node_names()) >= {"tactile_left", "tactile_right", "perception"}
    assert processes.stop(process) == 0


def test_without_autostart_a_manager_does_it(graph: Any, processes: Any, robot: Path) -> None:
    process = processes.start("robot", str(robot), "--arm", "right", "--no-autostart")
    for node in ("tactile_left", "perception"):
        answer = graph.call(GetState, f"/right/{node}/get_state", GetState.Request())
        assert answer.current_state.id == State.PRIMARY_STATE_UNCONFIGURED
    assert processes.stop(process) == 0


def test_an_arm_with_a_missing_camera_ends_with_the_reason(processes: Any, robot: Path) -> None:
    process = processes.start("robot", str(robot), "--arm", "right")
    assert process.wait(60) == 1
    assert "/dev/video99: there is no such device or file" in processes.output(process)


def test_a_wrong_file_ends_before_anything_is_started(tmp_path: Path, processes: Any) -> None:
    path = tmp_path / "robot.yaml"
    path.write_text("arms: {left: {gells: {}}}")
    process = processes.start("robot", str(path))
    assert process.wait(60) == 2
    text = "arms.left: unknown key 'gells'. Did you mean 'gels'?"
    assert text in processes.output(process)
