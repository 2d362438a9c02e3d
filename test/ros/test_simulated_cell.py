"""The simulated cell in a real graph: its topics, its action, its clock, and lock-step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("mujoco", reason="the simulation's packages are not there (`make test`)")

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, PointCloud2
from std_msgs.msg import String
from std_srvs.srv import Trigger

from xmodal_msgs.action import MoveArm
from xmodal_msgs.msg import GraspSuccess
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.ros import spin
from xmodal_ros.ros.simulated_cell import FIXED_EPOCH_NS, SimulatedCell

SMALL = {
    "scene.shapes": "box",
    "scene.materials": "wood",
    "scene.objects": 1,
    "scene.mass_low_kg": 0.1,
    "scene.mass_high_kg": 0.2,
    "camera.width": 32,
    "camera.height": 24,
    "gel.width": 64,
    "gel.height": 48,
    "lidar.rings": 4,
    "lidar.steps": 16,
}
ACTION = "/simulated_cell/move_arm"
TURNS = 30
"""Messages of the cell between looks at what the peer has."""


class Driven:
    """A cell in this process, and a client of its action in the peer's."""

    def __init__(self, graph: Any, **values: Any) -> None:
        chosen = {"autonomous": False, **SMALL, **values}
        self.node = SimulatedCell(
            parameter_overrides=[Parameter(name, value=value) for name, value in chosen.items()]
        )
        self._graph, self._spinner = graph, spin.executor()
        self._spinner.add_node(self.node)
        self._client = ActionClient(graph.peer, MoveArm, ACTION)
        self.feedback: list[MoveArm.Feedback] = []

    def until(self, condition: Callable[[], Any]) -> Any:
        """Run the cell until the peer finds something."""

        def found() -> Any:
            for _ in range(TURNS):  # as many events for the peer as messages of the cell
                self.node.turn(self._spinner)
                self._graph.spin(0)
            return condition()

        return self._graph.until(found)

    def send(self, **fields: Any) -> Any:
        """Send a goal; the handle, once it is there."""
        self.until(self._client.server_is_ready)
        sent = self._client.send_goal_async(
            MoveArm.Goal(**fields), lambda message: self.feedback.append(message.feedback)
        )
        self.until(sent.done)
        return sent.result()

    def result(self, handle: Any) -> Any:
        """Status and result of a goal, once it has ended."""
        done = handle.get_result_async()
        self.until(done.done)
        return done.result()

    def command(self, **fields: Any) -> MoveArm.Result:
        """Have a goal done, and return its result."""
        return self.result(self.send(**fields)).result

    def close(self) -> None:
        self._client.destroy()
        self._spinner.shutdown()
        self.node.close()


@pytest.fixture
def drive(graph) -> Iterator[Callable[..., Driven]]:
    made: list[Driven] = []

    def start(**values: Any) -> Driven:
        made.append(Driven(graph, **values))
        return made[-1]

    yield start
    for driven in made:
        driven.close()


def stamp_ns(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def test_a_peer_grasps_lifts_and_lets_go_and_sees_the_sensors(graph, drive) -> None:
    kinds = {
        "/camera/image_raw": Image,
        "/camera/camera_info": CameraInfo,
        "/tactile_left/image_raw": Image,
        "/tactile_right/image_raw": Image,
        "/imu/data_raw": Imu,
        "/lidar/points": PointCloud2,
        "/truth/contact/tactile_left": Image,
        "/truth/poses/object_0": PoseStamped,
        "/labels/activity": String,
    }
    found = {topic: graph.collect(topic, kind) for topic, kind in kinds.items()}
    cell = drive()
    for command in ("reach", "grasp", "lift"):
        result = cell.command(command=command, force=20.0)
        assert (result.success, result.error_code) == (True, MoveArm.Result.OK)
    assert result.outcome == "held"
    heights = [pose.pose.position.z for pose in found["/truth/poses/object_0"]]
    assert heights[-1] > heights[0] + 0.1
    assert cell.command(command="release").outcome == "held"

    cell.until(lambda: all(found.values()))
    frames = {topic: messages[0] for topic, messages in found.items()}
    assert frames["/camera/image_raw"].header.frame_id == "camera_optical_frame"
    assert (frames["/camera/camera_info"].width, frames["/camera/image_raw"].height) == (32, 24)
    assert frames["/tactile_left/image_raw"].encoding == "rgb8"
    assert frames["/imu/data_raw"].header.frame_id == "imu"
    assert any(sum(contact.data) for contact in found["/truth/contact/tactile_left"])
    activities = [label.data for label in found["/labels/activity"]]
    assert [a for a in activities if a in ("grasp", "lift")] == ["grasp", "lift"]
    assert {f.phase for f in cell.feedback} >= {"reach", "grasp", "lift"}
    assert all(0 <= f.progress < 1 for f in cell.feedback)


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"command": "dance"}, MoveArm.Result.UNKNOWN_COMMAND, "expected one of reach, grasp"),
        (
            {"command": "reach", "object": "cup"},
            MoveArm.Result.UNKNOWN_OBJECT,
            "no object 'cup' is in the cell; expected one of object_0",
        ),
        ({"command": "grasp", "force": 99.0}, MoveArm.Result.BAD_FORCE, "0.5 to 40.0 N"),
    ],
)
def test_a_bad_goal_ends_at_once_and_says_what_there_is(drive, fields, code, text) -> None:
    cell = drive()
    result = cell.command(**fields)
    assert (result.success, result.error_code) == (False, code)
    assert text in result.message


def test_one_goal_at_a_time_which_can_be_canceled(drive) -> None:
    cell = drive()
    first = cell.send(command="reach")
    refused = cell.command(command="home")
    assert refused.error_code == MoveArm.Result.BUSY
    assert "reach is under way" in refused.message

    first.cancel_goal_async()
    ended = cell.result(first)
    assert ended.status == GoalStatus.STATUS_CANCELED
    assert ended.result.error_code == MoveArm.Result.CANCELED
    assert cell.command(command="home").success


def test_a_reset_changes_the_object_and_gives_up_the_goal(graph, drive) -> None:
    cell = drive()
    goal = cell.send(command="reach")
    reset = graph.peer.create_client(Trigger, "/simulated_cell/reset")
    cell.until(reset.service_is_ready)
    answer = reset.call_async(Trigger.Request())
    cell.until(answer.done)
    assert answer.result().success
    assert "object_0: box of wood" in answer.result().message
    result = cell.result(goal).result
    assert result.error_code == MoveArm.Result.CANCELED
    assert "reset" in result.message
    assert cell.command(command="reach").success


def test_while_it_runs_its_own_script_it_takes_no_command(drive) -> None:
    result = drive(autonomous=True).command(command="reach")
    assert result.error_code == MoveArm.Result.BUSY
    assert "'autonomous' to false" in result.message


def test_simulated_time_is_never_ahead_of_real_time(graph, drive) -> None:
    images = graph.collect("/tactile_left/image_raw", Image)
    before_ns = time.time_ns()
    cell = drive(streams="tactile_left", **{"tactile_left_clock.offset_s": 0.0})
    cell.until(lambda: len(images) > 5)
    assert before_ns < stamp_ns(images[0])
    assert stamp_ns(images[-1]) < time.time_ns()


def test_the_clock_is_published_on_request_and_is_the_stamps(graph, drive) -> None:
    clock = graph.collect("/clock", Clock)
    images = graph.collect("/tactile_left/image_raw", Image)
    cell = drive(streams="tactile_left", clock=True)
    cell.until(lambda: len(images) > 5 and clock)
    times_ns = [message.clock.sec * 10**9 + message.clock.nanosec for message in clock]
    assert times_ns == sorted(times_ns)
    assert FIXED_EPOCH_NS < stamp_ns(images[0]) < FIXED_EPOCH_NS + 10**9
    assert abs(stamp_ns(images[-1]) - times_ns[-1]) < 10**9


def test_diagnostics_tell_how_fast_it_runs(graph, drive) -> None:
    cell = drive(streams="imu", diagnostics_period_s=0.1)
    status = graph.status("simulation", "of real time", each=lambda: cell.until(lambda: True))
    values = {v.key: v.value for v in status.values}
    assert float(values["factor"]) > 0
    assert values["objects"].startswith("object_0: box of wood")


def test_images_leave_as_jpeg_on_request(graph, drive) -> None:
    images = graph.collect("/tactile_left/image_raw/compressed", CompressedImage)
    cell = drive(streams="tactile_left", **{"topics.jpeg_quality": 90})
    cell.until(lambda: images)
    assert bytes(images[0].data[:2]) == b"\xff\xd8"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("sead", 3, "unknown setting 'sead'. Did you mean 'seed'?"),
        ("scene.object", 3, "scene: unknown setting 'object'. Did you mean 'objects'?"),
        ("scen.objects", 3, "unknown group 'scen'; expected one of scene, policy"),
        ("scene.materials", "cheese", "scene.materials: unknown name 'cheese'"),
        ("scene.shapes", "cup", "scene.shapes: unknown name 'cup'; expected some of box"),
        ("streams", "sonar", "no sensor 'sonar'; expected some of camera"),
        ("camera.width", 1, "a value from 16 to 4096 px"),
        ("rate", 2.0, "rate: got 2; expected 1 where the stamps are the machine's time"),
    ],
)
def test_a_bad_parameter_is_refused_with_the_reason(drive, name, value, text) -> None:
    with pytest.raises(SettingsError, match=text):
        drive(**{name: value})


def test_in_lock_step_the_perception_node_answers_every_frame(graph, processes) -> None:
    grasps = graph.collect("/perception/grasp", GraspSuccess)
    images = graph.collect("/tactile_left/image_raw", Image)
    settings = [f"{name}={value}" for name, value in SMALL.items()]
    arguments = [part for text in settings for part in ("--set", text)]
    cell = processes.start("cell", "--commanded", "--lock-step", *arguments)
    graph.perception(output={"lock_step": True})
    # the cell waits for the perception node, not for this test: its subscription may join late
    graph.until(lambda: len({stamp_ns(g) for g in grasps} & {stamp_ns(i) for i in images}) > 10)
    answered = {stamp_ns(grasp) for grasp in grasps}
    anchors = {stamp_ns(image) for image in images}
    joined, last = max(min(anchors), min(answered)), min(max(anchors), max(answered))
    assert {s for s in answered if joined <= s <= last} == {
        s for s in anchors if joined <= s <= last
    }
    assert min(answered) < FIXED_EPOCH_NS + 10**9
    assert processes.stop(cell) == 0
    assert "Traceback" not in processes.output(cell)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--ros-args", "-p", "camera.with:=64"), "camera: unknown setting 'with'"),
        (("--set", "nonsense"), "--set: got 'nonsense'; expected group.name=value"),
    ],
)
def test_a_cell_that_cannot_start_says_why(processes, own_domain, arguments, text) -> None:
    cell = processes.start("cell", *arguments)
    assert cell.wait(60) == 2
    assert text in processes.output(cell)
    assert "Traceback" not in processes.output(cell)
