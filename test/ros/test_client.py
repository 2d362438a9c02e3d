"""The client in somebody else's node: blocking and async, whoever spins it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from action_msgs.msg import GoalStatus, GoalStatusArray
from rclpy.action import ActionServer
from rclpy.executors import SingleThreadedExecutor
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_action_status_default
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from xmodal_msgs.action import AssessGrasp
from xmodal_msgs.msg import Activity, HeadInfo, MaterialClass, ModelInfo
from xmodal_ros.core.assess import Decision
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.types import Modality
from xmodal_ros.ros import client, qos, question
from xmodal_ros.ros.answers import Refused, Unanswered
from xmodal_ros.ros.client import Perception, WouldBlock

FINGERS = ("/tactile_left/image_raw", "/tactile_right/image_raw")
LONG_S = 100.0


class Robot:
    """Runs the graph in a thread of its own; its fingers feel something all the time."""

    def __init__(self, graph: Any, messages: Any) -> None:
        self.graph, self._messages = graph, messages
        self._next_s = 0.0
        self._stop = threading.Event()
        self._fingers = [graph.publisher(topic, Image) for topic in FINGERS]
        self.each: Callable[[], Any] = lambda: None
        """Done again and again, too."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            if time.monotonic() > self._next_s:
                self._next_s = time.monotonic() + 0.05
                now_ns = time.time_ns()
                for finger in self._fingers:
                    finger.publish(self._messages.image(now_ns))
                self.each()
            self.graph.spin(0.01)


@pytest.fixture
def robot(graph, messages) -> Iterator[Callable[..., Robot]]:
    """Starts the graph's thread, once all nodes are made."""
    made: list[Robot] = []

    def start() -> Robot:
        made.append(Robot(graph, messages))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture
def node(graph) -> Iterator[Node]:
    """Somebody's node, which nothing spins."""
    made = rclpy.create_node("pipeline")
    yield made
    made.destroy_node()


@pytest.fixture
def perception(node) -> Perception:
    return Perception(node)


class Spinning:
    """A thread that spins a node."""

    def __init__(self, executor: Any, node: Node) -> None:
        self._executor, self._stop = executor, threading.Event()
        executor.add_node(node)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._executor.shutdown()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.05)


def test_where_nobody_spins_the_client_does_for_a_while(graph, robot, perception, judged) -> None:
    graph.perception()
    robot()
    said: list[float] = []
    judged[:] = [0.5]

    def hear(told: AssessGrasp.Feedback) -> None:
        said.append(round(told.probability, 3))
        judged[:] = [0.5 if len(said) < 2 else 0.95]

    found = perception.assess_grasp(LONG_S, min_confidence=0.7, feedback=hear)
    assert (found.decision, found.holds) == (Decision.HOLD, True)
    assert said[:2] == [0.5, 0.5]
    assert said == sorted(said)
    assert found.observations > len(said) - 1 > 0  # the last one is the result
    assert found.probability > 0.7
    assert found.modalities == (Modality.TACTILE,)
    assert found.frame_id == "finger"
    assert abs(found.stamp_ns - time.time_ns()) < 60e9
    assert "hold: it holds with probability" in found.message

    judged[:] = [0.05]
    assert perception.assess_grasp(LONG_S).decision == Decision.REGRASP


@pytest.mark.parametrize("make", [SingleThreadedExecutor, EventsExecutor])
def test_where_another_thread_spins_the_client_waits(
    graph, robot, node, perception, judged, make
) -> None:
    graph.perception()
    robot()
    with Spinning(make(), node):
        assert perception.assess_grasp(LONG_S).holds
    assert perception.assess_grasp(LONG_S).holds  # nobody spins any more


def test_waiting_in_a_callback_is_refused(graph, node, perception, monkeypatch) -> None:
    monkeypatch.setattr(client, "ALIVE_S", 0.1)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    raised: list[Exception] = []

    def callback() -> None:
        timer.cancel()
        with pytest.raises(WouldBlock) as caught:
            perception.assess_grasp(LONG_S)
        raised.append(caught.value)

    timer = node.create_timer(0.01, callback)
    while not raised:
        executor.spin_once(timeout_sec=1.0)
    executor.shutdown()
    assert str(raised[0]) == (
        "/pipeline: the executor of this node has run nothing for 0.1 s; expected to be spun by "
        "another thread, or to be in no executor. In a callback, await the _async form of this "
        "call"
    )


@pytest.mark.parametrize("make", [SingleThreadedExecutor, EventsExecutor])
def test_a_coroutine_can_await_the_answer(graph, robot, node, perception, judged, make) -> None:
    graph.perception()
    robot()
    executor = make()
    executor.add_node(node)

    async def pick() -> Decision:
        return (await perception.assess_grasp_async(LONG_S)).decision

    task = executor.create_task(pick)
    while not task.done():
        executor.spin_once(timeout_sec=1.0)
    executor.shutdown()
    assert task.result() == Decision.HOLD


def test_a_callback_can_await_the_answer(graph, robot, node, perception, judged) -> None:
    """Its callback group is held meanwhile, and the answer must come all the same."""
    graph.perception()

    async def pick(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = (await perception.assess_grasp_async(LONG_S)).holds
        return response

    node.create_service(Trigger, "pick", pick)
    asking = rclpy.create_node("asking")
    asked = asking.create_client(Trigger, "pick")
    robot()
    with Spinning(SingleThreadedExecutor(), node):
        assert asked.wait_for_service(LONG_S)
        answer = asked.call_async(Trigger.Request())
        rclpy.spin_until_future_complete(asking, answer, timeout_sec=LONG_S)
    assert answer.result().success
    asking.destroy_node()


def test_nobody_there(perception) -> None:
    with pytest.raises(Unanswered) as caught:
        perception.assess_grasp(0.1)
    assert str(caught.value) == (
        "perception/assess_grasp: is not there within 0.1 s. Start it: xmodal node"
    )


@pytest.mark.parametrize(
    "accepted", [lambda _: None, lambda handle: handle.execute()], ids=["hangs", "fails"]
)
def test_a_node_that_gives_no_result(graph, robot, perception, monkeypatch, accepted) -> None:
    monkeypatch.setattr(question, "GRACE_S", 0.1)
    broken = ActionServer(
        graph.peer,
        AssessGrasp,
        "/perception/assess_grasp",
        execute_callback=lambda _: AssessGrasp.Result(),
        handle_accepted_callback=accepted,
    )
    running = robot()
    with pytest.raises(Unanswered, match=r"gave no answer within 1 s\. See its log"):
        perception.assess_grasp(1.0)
    running.stop()
    broken.destroy()


def test_refusals_say_why(graph, robot, perception) -> None:
    graph.perception(start=False)
    robot()
    with pytest.raises(Refused, match="/perception: the node is not active") as caught:
        perception.assess_grasp(LONG_S)
    assert caught.value.code == AssessGrasp.Result.NOT_ACTIVE
    for values, text in {
        (math.nan, 0.0, 0.0): "timeout: got nan s",
        (-1.0, 0.0, 0.0): "timeout: got -1 s",
        (1.0, math.nan, 0.0): "min_confidence: got nan; expected a value from 0.5 to 1",
        (1.0, 0.0, 1.5): "threshold: got 1.5; expected a value from 0 to 1",
    }.items():
        with pytest.raises(SettingsError, match=text):
            perception.assess_grasp(values[0], min_confidence=values[1], threshold=values[2])


def test_to_cancel_the_future_is_to_cancel_the_goal(
    graph, robot, node, perception, judged
) -> None:
    judged[:] = [0.5]
    graph.perception()
    ended: list[int] = []
    graph.listen(
        "/perception/assess_grasp/_action/status",
        GoalStatusArray,
        lambda told: ended.extend(goal.status for goal in told.status_list),
        qos_profile_action_status_default,
    )
    robot()
    heard = threading.Event()
    with Spinning(SingleThreadedExecutor(), node):
        future = perception.assess_grasp_async(
            LONG_S, min_confidence=0.9, feedback=lambda _: heard.set()
        )
        assert heard.wait(LONG_S)
        future.cancel()
        end_s = time.monotonic() + LONG_S
        while GoalStatus.STATUS_CANCELED not in ended and time.monotonic() < end_s:
            heard.clear()
            heard.wait(0.01)
    assert GoalStatus.STATUS_CANCELED in ended


def test_pictures_come_as_arrays(graph, robot, perception, judged) -> None:
    graph.perception()
    robot()
    found = perception.assess_grasp(LONG_S, overlay=True)
    assert {name: image.shape for name, image in found.overlays.items()} == {
        "tactile_left": (24, 32, 3),
        "tactile_right": (24, 32, 3),
    }


def test_the_latest_material(graph, node, perception, messages) -> None:
    publisher = graph.publisher("/perception/material", MaterialClass)

    def tell(label: str, age_s: float = 0.0, abstained: bool = False) -> None:
        message = MaterialClass(label=label, confidence=0.8)
        message.header.stamp = messages.stamp(time.time_ns() - round(age_s * 1e9))
        message.info.abstained = abstained
        publisher.publish(message)
        graph.spin(0.0)
        rclpy.spin_once(node, timeout_sec=0.05)

    def until(condition: Callable[[], Any], *telling: Any) -> Any:
        end_s = time.monotonic() + LONG_S
        while time.monotonic() < end_s:
            tell(*telling)
            if found := condition():
                return found
        raise AssertionError("waited in vain")

    assert perception.latest_material() is None
    found = until(perception.latest_material, "wood")
    assert (found.label, found.confidence) == ("wood", pytest.approx(0.8))
    assert until(lambda: perception.latest_material() is None, "wood", 0.0, True)  # unsure
    assert until(perception.latest_material, "cork").label == "cork"
    assert until(lambda: perception.latest_material() is None, "cork", 30.0)  # of long ago
    assert perception.latest_material(max_age_s=LONG_S).label == "cork"


def test_waiting_for_an_activity(graph, robot, perception) -> None:
    activities = graph.publisher("/perception/activity", Activity)
    said = iter(["reach"] * 3 + ["lift"] * 100_000)
    abstained = iter([True] * 5)

    def tell() -> None:
        message = Activity(label=next(said), confidence=0.7)
        message.info.abstained = next(abstained, False)
        activities.publish(message)

    robot().each = tell
    found = perception.wait_for_activity("lift", LONG_S)
    assert (found.label, found.abstained) == ("lift", False)
    with pytest.raises(Unanswered) as caught:
        perception.wait_for_activity("grasp", 0.1)
    assert str(caught.value) == (
        "perception/activity: 'grasp' was not recognized within 0.1 s. Nothing was heard of the "
        "node: is it there, and active?"
    )
    with pytest.raises(SettingsError, match="timeout: got 0 s; expected more than 0 s"):
        perception.wait_for_activity("grasp", 0.0)


def test_an_activity_that_the_model_does_not_know(graph, robot, perception) -> None:
    info = graph.publisher("/perception/model_info", ModelInfo, qos.latched())
    info.publish(ModelInfo(heads=[HeadInfo(name="activity", labels=["reach", "lift"])]))
    robot()
    for _ in range(2):  # before and after it is known
        with pytest.raises(SettingsError, match="label: got 'fly'; expected one of reach, lift"):
            perception.wait_for_activity("fly", LONG_S)
