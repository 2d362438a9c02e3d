"""The launch files, run by the real launch_ros where a sourced workspace has it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

WHY = "launch_ros is not among the ROS wheels; it runs in a sourced ROS 2 workspace"
pytest.importorskip("launch_ros", reason=WHY)

import rclpy  # noqa: E402
from ament_index_python.packages import (  # noqa: E402
    PackageNotFoundError,
    get_package_share_directory,
)
from launch import LaunchDescription, LaunchService  # noqa: E402
from launch.actions import GroupAction, IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import AnyLaunchDescriptionSource  # noqa: E402
from lifecycle_msgs.msg import State  # noqa: E402
from lifecycle_msgs.srv import GetState  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402

from xmodal_msgs.msg import GraspSuccess  # noqa: E402

try:
    LAUNCH = Path(get_package_share_directory("xmodal_ros"), "launch")
except PackageNotFoundError:
    pytest.skip("xmodal_ros is not built in a sourced workspace", allow_module_level=True)

TIMEOUT_S = 120.0


@pytest.fixture(autouse=True)
def domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph of its own."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture
def node(domain: None) -> Iterator[Any]:
    """A node that asks the launched one."""
    rclpy.init()
    made = rclpy.create_node("asks")
    yield made
    made.destroy_node()
    rclpy.shutdown()


def _launched(name: str, arguments: dict[str, str], question: Callable[[], Any]) -> Any:
    """Run a launch file until `question` is answered; its answer."""
    return _run(LaunchDescription([_included(name, arguments)]), question)


def _included(name: str, arguments: dict[str, str]) -> IncludeLaunchDescription:
    source = AnyLaunchDescriptionSource(str(LAUNCH / name))
    return IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))


def _run(description: LaunchDescription, question: Callable[[], Any]) -> Any:
    async def scenario() -> Any:
        service = LaunchService(noninteractive=True)
        service.include_launch_description(description)
        running = asyncio.create_task(service.run_async())
        try:
            return await asyncio.wait_for(asyncio.to_thread(question), TIMEOUT_S)
        finally:
            if ending := service.shutdown():  # None where it has ended by itself
                await ending
            await running

    return asyncio.run(scenario())


def _ask(node: Any, kind: Any, service: str, request: Any) -> Any:
    client = node.create_client(kind, service)
    assert client.wait_for_service(TIMEOUT_S), f"{service} does not appear"
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=TIMEOUT_S)
    return future.result()


@pytest.mark.parametrize("name", ["perception.launch.py", "perception.launch.xml"])
def test_arguments_reach_the_node(name: str, node: Any) -> None:
    wanted = ["inference.device", "streams", "camera.topic", "use_sim_time"]
    request = GetParameters.Request(names=wanted)
    answer = _launched(
        name,
        {
            "autostart": "false",
            "namespace": "arm",
            "device": "cpu",
            "settings": "gripper.yaml",
            "use_sim_time": "true",
        },
        lambda: _ask(node, GetParameters, "/arm/perception/get_parameters", request),
    )
    device, streams, topic, sim = answer.values
    assert device.string_value == "cpu"
    assert list(streams.string_array_value) == ["tactile_left", "tactile_right", "camera"]
    assert topic.string_value == "wrist_camera/image_raw"
    assert sim.bool_value


def test_without_autostart_the_node_waits(node: Any) -> None:
    answer = _launched(
        "perception.launch.py",
        {"autostart": "false"},
        lambda: _ask(node, GetState, "/perception/get_state", GetState.Request()),
    )
    assert answer.current_state.id == State.PRIMARY_STATE_UNCONFIGURED


def _until(node: Any, condition: Callable[[], Any]) -> Any:
    """Spin until `condition` gives something true, and return what it gave last."""
    end = time.monotonic() + TIMEOUT_S
    while not (found := condition()) and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    return found


def test_autostart_activates_two_nodes_each_with_its_topics(node: Any, tiny_bundle: Path) -> None:
    def group(namespace: str) -> GroupAction:
        arguments = {"namespace": namespace, "camera": f"/{namespace}_wrist/image"}
        arguments |= {"bundle": str(tiny_bundle), "backend": "torch"}
        return GroupAction([_included("perception.launch.py", arguments)])

    topics = ("/left_wrist/image", "/right_wrist/image", "/right/tactile_left/image_raw")

    def subscribed() -> list[int]:
        heard = lambda: [node.count_subscribers(topic) for topic in topics]  # noqa: E731
        _until(node, lambda: all(heard()))
        return heard()

    assert _run(LaunchDescription([group("left"), group("right")]), subscribed) == [1, 1, 1]


def test_a_describer_is_started_on_request_and_hears_the_same_topics(
    node: Any, tiny_describer: Path
) -> None:
    request = GetParameters.Request(names=["language.path"])

    def question() -> tuple[Any, int]:
        answer = _ask(node, GetParameters, "/arm/describe/get_parameters", request)
        return answer.values[0].string_value, _until(
            node, lambda: node.count_subscribers("/wrist/image")
        )

    arguments = {"namespace": "arm", "camera": "/wrist/image", "autostart": "false"}
    arguments |= {"language": str(tiny_describer)}
    assert _launched("perception.launch.py", arguments, question) == (str(tiny_describer), 1)


def test_a_recording_is_replayed_into_the_node(
    node: Any, tiny_bundle: Path, small_recording: Path
) -> None:
    found: list[Any] = []
    node.create_subscription(GraspSuccess, "/perception/grasp", found.append, 10)
    arguments = {"recording": str(small_recording), "rate": "0.5"}
    arguments |= {"bundle": str(tiny_bundle), "backend": "torch"}
    assert _launched("replay.launch.py", arguments, lambda: _until(node, lambda: found))
    assert found[0].header.stamp.sec in range(1_700_000_000, 1_700_000_004)


def test_a_robots_arms_start_each_in_its_namespace(
    node: Any, tiny_bundle: Path, tmp_path: Path
) -> None:
    """Two arms, each with a gel camera and perception in one process."""
    arm = {
        "gels": {"tactile_left": {"device": {"path": "synthetic"}}},
        "perception": {"inference": {"bundle": str(tiny_bundle), "backend": "torch"}},
    }
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump({"arms": {"left": arm, "right": arm}}))
    names = [("tactile_left", f"/{side}") for side in ("left", "right")]
    names += [("perception", f"/{side}") for side in ("left", "right")]

    def question() -> list[int]:
        found: Callable[[], Any] = lambda: node.get_node_names_and_namespaces()  # noqa: E731
        assert _until(node, lambda: set(names) <= set(found()))
        heard = [f"/{side}/tactile_left/image_raw" for side in ("left", "right")]
        _until(node, lambda: all(node.count_subscribers(topic) for topic in heard))
        return [node.count_subscribers(topic) for topic in heard]

    assert _launched("robot.launch.py", {"robot": str(path)}, question) == [1, 1]


@pytest.mark.parametrize("name", ["robot.launch.py", "robot.launch.xml"])
def test_only_the_arms_that_are_named_start(name: str, node: Any) -> None:
    arguments = {"robot": "franka_gelsight.yaml", "arms": "right", "autostart": "false"}
    answer = _launched(
        name,
        arguments,
        lambda: _ask(node, GetState, "/right/perception/get_state", GetState.Request()),
    )
    assert answer.current_state.id == State.PRIMARY_STATE_UNCONFIGURED
    assert ("perception", "/left") not in node.get_node_names_and_namespaces()


def test_the_simulated_cell_starts_with_the_perception_node_in_step(
    node: Any, tiny_bundle: Path
) -> None:
    """Arguments reach both nodes, and predictions come of what the cell shows."""
    wanted = {
        "simulated_cell": ["clock", "perception", "autonomous", "seed", "camera.width", "streams"],
        "perception": ["use_sim_time", "output.lock_step"],
    }
    found: list[Any] = []
    node.create_subscription(GraspSuccess, "/arm/perception/grasp", found.append, 10)

    def question() -> list[Any]:
        answers = []
        for name, names in wanted.items():
            request = GetParameters.Request(names=names)
            answers += _ask(node, GetParameters, f"/arm/{name}/get_parameters", request).values
        _until(node, lambda: found)
        # The bundle was trained with the camera at the hand.
        assert node.count_subscribers("/arm/camera_wrist/image_raw") == 1
        return answers

    arguments = {"namespace": "arm", "autonomous": "false", "seed": "3", "lock_step": "true"}
    arguments |= {"bundle": str(tiny_bundle), "backend": "torch"}
    answers = _launched("simulated_cell.launch.py", arguments, question)
    clock, perception, autonomous, seed, width, streams, sim_time, lock_step = answers
    assert clock.bool_value
    assert not autonomous.bool_value
    assert perception.string_value == "/arm/perception"
    assert "camera_wrist" in streams.string_value
    assert (seed.integer_value, width.integer_value) == (3, 160)
    assert sim_time.bool_value
    assert lock_step.bool_value
    assert found


@pytest.mark.parametrize(
    "name",
    ["perception.launch.py", "replay.launch.py", "robot.launch.py", "simulated_cell.launch.py"],
)
def test_every_argument_is_described(name: str) -> None:
    description = AnyLaunchDescriptionSource(str(LAUNCH / name)).get_launch_description(
        LaunchService(noninteractive=True).context
    )
    arguments = description.get_launch_arguments()
    assert arguments
    assert all(a.description for a in arguments)
