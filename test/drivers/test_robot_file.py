"""Files of robots: the examples that ship, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import DEFAULT_STREAMS, Settings
from xmodal_ros.drivers.gel_settings import GelSettings
from xmodal_ros.drivers.robot_file import choose, load_robot

ROBOTS = Path(__file__).resolve().parents[2] / "config" / "robots"
STREAMS = {stream.name for stream in DEFAULT_STREAMS}


@pytest.mark.parametrize("path", sorted(ROBOTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_have_two_gels_and_all_senses_on_every_arm(path: Path) -> None:
    arms = load_robot(path)
    devices = [gel.device.path for arm in arms.values() for gel in arm.gels.values()]
    files = [gel.reference.file for arm in arms.values() for gel in arm.gels.values()]
    assert len(devices) == len(set(devices)) == len(set(files)) == 2 * len(arms)
    for arm in arms.values():
        assert set(arm.gels) == {"tactile_left", "tactile_right"}
        assert {stream.name for stream in arm.perception.streams} == STREAMS


def test_the_franka_example_has_two_arms_with_topics_of_their_own() -> None:
    arms = load_robot(ROBOTS / "franka_gelsight.yaml")
    assert set(arms) == {"left", "right"}
    heard = {
        name: {arm.topic(stream.topic) for stream in arm.perception.streams}
        for name, arm in arms.items()
    }
    assert heard["left"] & heard["right"] == {"/livox/lidar"}
    assert {"/left/tactile_left/image_raw", "/left/imu/data_raw"} <= heard["left"]


def _write(tmp_path: Path, values: Any) -> Path:
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_an_empty_arm_has_every_default(tmp_path: Path) -> None:
    arms = load_robot(_write(tmp_path, {"arms": {"left": {"gels": {"tactile_left": None}}}}))
    assert arms["left"].perception == Settings()
    assert arms["left"].gels == {"tactile_left": GelSettings()}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"arm": {"left": {}}}, "robot.yaml: unknown key 'arm'. Did you mean 'arms'?"),
        ({"arms": {}}, "robot.yaml: no arm is named; expected at least one arm"),
        ({"arms": {"a b": {}}}, "arms: 'a b' cannot be a namespace"),
        ({"arms": [1]}, "arms: got [1]; expected names and values"),
        (
            {"arms": {"left": {"percepton": {}}}},
            "arms.left: unknown key 'percepton'. Did you mean 'perception'?",
        ),
        (
            {"arms": {"left": {"gels": {"tactile_lefd": {}}}}},
            "arms.left.gels: unknown stream 'tactile_lefd'. Did you mean 'tactile_left'?",
        ),
        (
            {"arms": {"left": {"gels": {"tactile_left": {"imag": {}}}}}},
            "arms.left.gels.tactile_left: unknown group 'imag'. Did you mean 'image'?",
        ),
        (
            {"arms": {"left": {"gels": {"tactile_left": {"device": {"widht": 3}}}}}},
            "arms.left.gels.tactile_left.device: unknown setting 'widht'. Did you mean 'width'?",
        ),
        (
            {"arms": {"left": {"perception": {"streams": {"camera": {"topc": "x"}}}}}},
            "arms.left.perception.streams.camera: unknown setting 'topc'. Did you mean 'topic'?",
        ),
        (
            {"arms": {"left": {"perception": {"synk": {}}}}},
            "arms.left.perception: unknown group 'synk'. Did you mean 'sync'?",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    tmp_path: Path, values: dict[str, Any], text: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_robot(_write(tmp_path, values))
    assert text in str(caught.value)


def test_a_gel_camera_that_perception_hears_elsewhere_is_refused(tmp_path: Path) -> None:
    perception = {"streams": {"tactile_left": {"topic": "finger/image_raw"}}}
    values = {"arms": {"left": {"gels": {"tactile_left": {}}, "perception": perception}}}
    with pytest.raises(SettingsError, match="hears tactile_left at finger/image_raw; expected"):
        load_robot(_write(tmp_path, values))


def test_an_arm_has_to_be_named_where_there_are_two() -> None:
    arms = load_robot(ROBOTS / "franka_gelsight.yaml")
    assert choose(arms, "right") is arms["right"]
    with pytest.raises(SettingsError, match="several arms; expected one of left, right"):
        choose(arms, "")
    with pytest.raises(SettingsError, match="no arm is named 'rigth'"):
        choose(arms, "rigth")
