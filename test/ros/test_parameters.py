"""Parameters: declared from the settings, refused with the reason, applied live."""

from __future__ import annotations

import pytest
import rclpy
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import Settings
from xmodal_ros.ros import node as perception
from xmodal_ros.ros import parameters


@pytest.fixture
def make(own_domain):
    """Make a node from overrides by name."""
    rclpy.init(args=[])
    nodes = []

    def node(**values) -> Node:
        flat = [Parameter(n.replace("__", "."), value=v) for n, v in values.items()]
        made = Node(
            "parameters",
            automatically_declare_parameters_from_overrides=True,
            parameter_overrides=flat,
        )
        nodes.append(made)
        return made

    yield node
    for made in nodes:
        made.destroy_node()
    rclpy.shutdown()


def test_defaults_are_those_of_the_settings(make) -> None:
    node = make()

    assert parameters.declare(node) == Settings()
    assert parameters.current(node) == Settings()


def test_overrides_are_taken_and_whole_numbers_are_numbers(make) -> None:
    settings = parameters.declare(
        make(streams=["camera", "imu"], camera__topic="/eye", sync__timeout_s=1)
    )

    assert [s.name for s in settings.streams] == ["camera", "imu"]
    assert settings.streams[0].topic == "/eye"
    assert settings.sync.timeout_s == 1.0


def test_a_settings_file_gives_the_same_settings(make) -> None:
    values = {
        "streams": {"wrist": {"modality": "imu", "topic": "/wrist/imu"}, "camera": {"depth": 2}},
        "sync": {"anchor": "wrist"},
        "output": {"max_rate_hz": 5.0},
    }
    flat = {p.name: p.value for p in parameters.overrides(values)}

    assert parameters.declare(make(**flat)) == Settings.from_mapping(values)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"sync__timeout_s": -1.0},
            "sync.timeout_s: got -1.0; expected a value from 0.0 to 10.0 s",
        ),
        ({"sync__timeout": 1.0}, "sync: unknown setting 'timeout'. Did you mean 'timeout_s'?"),
        ({"camera__depth": "many"}, "camera.depth: got 'many'; expected a whole number"),
        ({"output__embeddings": 1}, "output.embeddings: got 1; expected true or false"),
        ({"streams": ["imu", "imu"]}, "streams: a stream is named twice"),
        ({"streams": ["sync"]}, "streams: 'sync' cannot name a stream"),
        ({"streams": "imu"}, "streams: got 'imu'; expected a list of names"),
        ({"streams": ["finger"]}, "finger: modality is not set"),
    ],
)
def test_a_bad_override_is_refused_with_the_reason(make, values, text) -> None:
    with pytest.raises(SettingsError) as error:
        parameters.declare(make(**values))

    assert text in str(error.value)


def test_a_parameter_of_no_known_group_is_told(make, capfd) -> None:
    parameters.declare(make(lidra__topic="/scan"))

    assert "parameter 'lidra.topic' is ignored" in capfd.readouterr().err


def test_live_changes_are_applied_or_refused_with_the_reason(make) -> None:
    node, applied = make(), []
    parameters.declare(node)
    parameters.on_change(node, applied.append)

    def change(name: str, value: object) -> tuple[bool, str]:
        (result,) = node.set_parameters([Parameter(name, value=value)])
        return result.successful, result.reason

    assert change("output.max_rate_hz", 5) == (True, "")
    assert applied[-1].output.max_rate_hz == 5.0
    refused, reason = change("output.max_rate_hz", 2000)
    assert not refused
    assert reason == "output.max_rate_hz: got 2000.0; expected a value from 0.0 to 1000.0 Hz"
    refused, reason = change("output.max_rate_hz", "fast")
    assert not refused
    assert reason == "output.max_rate_hz: got 'fast'; expected a number"
    refused, reason = change("sync.timeout_s", 1.0)
    assert not refused
    assert "read-only" in reason
    assert len(applied) == 1


def test_parameters_of_any_node_can_be_given_with_the_settings(graph) -> None:
    node = perception.make({"sync": {"timeout_s": 0.5}}, {"use_sim_time": True})
    graph.nodes.append(node)

    assert node.get_parameter("use_sim_time").value is True
    assert node.get_parameter("sync.timeout_s").value == 0.5


def test_other_nodes_see_descriptions_and_reasons(graph) -> None:
    graph.perception(start=False)
    names = ["sync.timeout_s", "camera.depth", "inference.backend", "output.max_rate_hz"]
    answer = graph.call(
        DescribeParameters,
        "/perception/describe_parameters",
        DescribeParameters.Request(names=names),
    )
    timeout, depth, backend, rate = answer.descriptors

    assert timeout.description.endswith("[s]")
    assert (
        timeout.floating_point_range[0].from_value,
        timeout.floating_point_range[0].to_value,
    ) == (0, 10)
    assert timeout.read_only
    assert (depth.integer_range[0].from_value, depth.integer_range[0].to_value) == (1, 1000)
    assert "'openvino'" in backend.additional_constraints
    assert not rate.read_only

    bad = ParameterMessage(
        name="output.starved_after_s", value=Parameter("x", value=-1.0).get_parameter_value()
    )
    answer = graph.call(
        SetParameters, "/perception/set_parameters", SetParameters.Request(parameters=[bad])
    )
    assert not answer.results[0].successful
    assert "output.starved_after_s" in answer.results[0].reason
