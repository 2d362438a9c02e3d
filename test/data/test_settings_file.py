"""What a ROS parameter file says to any node, which settings leave out."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmodal_ros.core.settings import Settings
from xmodal_ros.data.settings_file import assignment, load_settings, node_parameters

ROS_FILE = """
/**:
  ros__parameters:
    use_sim_time: true
    sync: {timeout_s: 0.5}
    qos_overrides:
      /perception/grasp: {publisher: {depth: 3}}
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "settings.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_parameters_of_any_node_are_apart_from_the_settings(written) -> None:
    path = written(ROS_FILE)
    assert node_parameters(path) == {
        "use_sim_time": True,
        "qos_overrides./perception/grasp.publisher.depth": 3,
    }
    assert load_settings(path) == Settings.from_mapping({"sync": {"timeout_s": 0.5}})


@pytest.mark.parametrize("text", ["sync: {timeout_s: 0.5}", "/**: {ros__parameters: {}}"])
def test_a_file_without_any_sets_none(written, text) -> None:
    assert node_parameters(written(text)) == {}


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 0.001), ("2", 2), ("1.5e2", 150.0), ("e3", "e3"), ("", "")]
)
def test_the_value_of_an_override_is_yaml_and_numbers_need_no_point(text, value) -> None:
    found = assignment(f"group.name={text}")

    assert found == ("group.name", value)
    assert type(found[1]) is type(value)
