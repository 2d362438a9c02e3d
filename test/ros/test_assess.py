"""Grasps judged through the real graph: decisions, refusals, and what ends a goal early."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from xmodal_msgs.action import AssessGrasp
from xmodal_ros.core.types import Modality
from xmodal_ros.data.decode import decode_compressed, stamp_ns
from xmodal_ros.ros import guard, spin
from xmodal_ros.runtime.focus import Focus

Result = AssessGrasp.Result
LEFT, RIGHT, CAMERA = (
    f"/{name}/image_raw" for name in ("tactile_left", "tactile_right", "camera")
)
SUCCEEDED, ABORTED = GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED
ACTION = "/perception/assess_grasp"
LONG_S = 100.0


class Asker:
    """A client in the peer's process, and sensors that the node hears."""

    def __init__(self, graph: Any, messages: Any) -> None:
        self.graph, self._messages = graph, messages
        self.client = ActionClient(graph.peer, AssessGrasp, ACTION)
        self.feedback: list[AssessGrasp.Feedback] = []
        self.sent: list[int] = []
        self.each: Callable[[], Any] = lambda: None
        """Done with every image, too."""
        self._sensors: list[Any] = []
        self._next_s = 0.0

    def feel(self, *topics: str) -> None:
        """Have sensors publish from now on, all at once."""
        self._sensors = [self.graph.connected(topic, Image) for topic in topics or (LEFT, RIGHT)]

    def until(self, condition: Callable[[], Any]) -> Any:
        def found() -> Any:
            if self._sensors and time.monotonic() > self._next_s:
                self._next_s = time.monotonic() + 0.04
                self.sent.append(time.time_ns())
                for sensor in self._sensors:
                    sensor.publish(self._messages.image(self.sent[-1]))
                self.each()
            return condition()

        return self.graph.until(found)

    def send(self, timeout_s: float = LONG_S, **fields: Any) -> Any:
        """Send a goal; its handle."""
        whole = math.floor(timeout_s)
        limit = Duration(sec=whole, nanosec=int((timeout_s - whole) * 1e9))
        self.until(self.client.server_is_ready)
        # A server that has not discovered its client yet answers into the void.
        for node in self.graph.nodes:
            self.until(lambda n=node: n.count_clients(f"{ACTION}/_action/get_result"))
        done = self.client.send_goal_async(
            AssessGrasp.Goal(timeout=limit, **fields),
            lambda message: self.feedback.append(message.feedback),
        )
        self.until(done.done)
        return done.result()

    def result(self, handle: Any) -> tuple[int, AssessGrasp.Result]:
        """Status and result of a goal."""
        done = handle.get_result_async()
        self.until(done.done)
        return done.result().status, done.result().result

    def ask(self, *arguments: Any, **fields: Any) -> tuple[int, AssessGrasp.Result]:
        return self.result(self.send(*arguments, **fields))


@pytest.fixture
def asker(graph, messages) -> Iterator[Asker]:
    made = Asker(graph, messages)
    yield made
    made.client.destroy()


@pytest.mark.parametrize(("probability", "decision"), [(0.9, Result.HOLD), (0.1, Result.REGRASP)])
def test_a_sure_prediction_decides_at_once(asker, judged, probability, decision) -> None:
    judged[:] = [probability]
    asker.graph.perception()
    asker.feel()
    status, result = asker.ask()

    assert (status, result.error_code, result.decision) == (SUCCEEDED, Result.OK, decision)
    assert result.probability == pytest.approx(probability)
    assert result.observations == 1
    assert result.modalities_used == Modality.TACTILE.bit
    assert stamp_ns(result.header.stamp) in asker.sent
    assert result.header.frame_id == "finger"
    assert not result.overlays
    assert f"probability {probability:.2f}, by 1 predictions" in result.message


def test_unclear_predictions_are_collected_until_they_are_clear(asker, judged) -> None:
    judged[:] = [0.6]
    asker.graph.perception()
    asker.feel()
    handle = asker.send(min_confidence=0.8)
    asker.until(lambda: len(asker.feedback) > 2)
    judged[:] = [0.99]
    status, result = asker.result(handle)

    assert (status, result.decision) == (SUCCEEDED, Result.HOLD)
    assert 0.8 <= result.probability < 0.99
    assert [f.observations for f in asker.feedback] == list(range(1, result.observations))
    assert [f.probability for f in asker.feedback[:3]] == pytest.approx([0.6] * 3)
    assert {f.modalities_used for f in asker.feedback} == {Modality.TACTILE.bit}


def test_at_the_limit_the_answer_is_unsure(asker, judged) -> None:
    judged[:] = [0.6]
    asker.graph.perception()
    asker.feel()
    asker.until(lambda: len(asker.sent) > 20)
    status, result = asker.ask(0.5, min_confidence=0.8)

    assert (status, result.error_code, result.decision) == (SUCCEEDED, Result.OK, Result.UNSURE)
    assert result.probability == pytest.approx(0.6)
    assert stamp_ns(result.header.stamp) in asker.sent
    assert "and 0.80 is asked of either answer: allow more time, or lower" in result.message


def test_goals_that_make_no_sense_are_refused_with_the_reason(asker) -> None:
    asker.graph.perception()
    streams = "expected some of tactile_left, tactile_right"
    for timeout_s, fields, text in [
        (0.0, {}, "timeout: got 0 s; expected more than 0 s"),
        (-1.5, {}, "timeout: got -1.5 s"),
        (1.0, {"min_confidence": math.nan}, "min_confidence: got nan; expected a value from 0.5"),
        (1.0, {"min_confidence": 0.25}, "min_confidence: got 0.25"),
        (1.0, {"threshold": math.nan}, "threshold: got nan; expected a value from 0 to 1"),
        (1.0, {"threshold": -1.0}, "threshold: got -1"),
        (1.0, {"required_streams": ["nose"]}, f"required_streams: got 'nose'; {streams}"),
        (1.0, {"required_streams": ["camera"]}, f"required_streams: got 'camera'; {streams}"),
    ]:
        status, result = asker.ask(timeout_s, **fields)
        assert (status, result.error_code) == (ABORTED, Result.BAD_GOAL)
        assert result.message.startswith(text)
    asker.feel()
    assert asker.ask()[1].error_code == Result.OK  # the next one is answered


def test_where_nothing_comes_the_reason_says_what_is_silent(asker) -> None:
    asker.graph.perception()
    status, result = asker.ask(0.2)
    assert (status, result.error_code) == (ABORTED, Result.NO_PREDICTION)
    assert result.message.startswith(
        "tactile_left: no prediction within 0.2 s. nothing publishes /tactile_left/image_raw"
    )


def test_predictions_without_a_required_stream_do_not_count(asker, judged, messages) -> None:
    asker.graph.perception()
    asker.feel(LEFT)
    handle = asker.send(1.0, required_streams=["tactile_right"])
    _, result = asker.result(handle)
    assert (result.error_code, result.observations) == (Result.NO_PREDICTION, 0)
    assert (
        "predictions within 1 s had tactile_right. nothing publishes /tactile_r" in result.message
    )
    right = asker.graph.connected(RIGHT, Image)
    asker.each = lambda: right.publish(messages.image(time.time_ns(), encoding="rgb9"))
    _, result = asker.ask(1.0, required_streams=["tactile_right"])
    assert result.error_code == Result.NO_PREDICTION
    assert "tactile_right/image_raw: unknown encoding 'rgb9'" in result.message
    asker.each = lambda: None
    asker.feel(LEFT, RIGHT)
    assert asker.ask(required_streams=["tactile_right"])[1].decision == Result.HOLD


def test_several_clients_at_once(asker, judged) -> None:
    judged[:] = [0.75]
    asker.graph.perception()
    asker.feel()
    strict = asker.send(min_confidence=0.9)
    asker.until(lambda: asker.feedback)
    assert asker.ask()[1].decision == Result.HOLD
    judged[:] = [0.02]
    assert asker.result(strict)[1].decision == Result.REGRASP


def test_cancel(asker, judged) -> None:
    judged[:] = [0.5]
    asker.graph.perception()
    asker.feel()
    handle = asker.send(min_confidence=0.9)
    asker.until(lambda: asker.feedback)
    handle.cancel_goal_async()
    status, result = asker.result(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_CANCELED, Result.CANCELED)
    judged[:] = [0.9]
    assert asker.ask()[1].decision == Result.HOLD


CLIENT = """
import rclpy
from xmodal_ros.ros.client import Perception
rclpy.init()
tell = lambda told: print(told.observations, flush=True)
Perception(rclpy.create_node("doomed")).assess_grasp(100.0, min_confidence=0.9, feedback=tell)
"""


def test_a_client_that_dies_leaves_nothing_behind(asker, judged) -> None:
    judged[:] = [0.5]
    asker.graph.perception()
    asker.feel()
    with subprocess.Popen([sys.executable, "-c", CLIENT], stdout=subprocess.PIPE) as client:
        assert client.stdout
        os.set_blocking(client.stdout.fileno(), False)
        asker.until(client.stdout.read)
        client.kill()
    judged[:] = [0.99]  # decides, and nobody takes the answer
    before = len(asker.sent)
    asker.until(lambda: len(asker.sent) > before + 5)
    assert asker.ask()[1].decision == Result.HOLD


def test_a_node_that_is_not_active_says_so_in_every_state(asker, judged) -> None:
    judged[:] = [0.5]
    node = asker.graph.perception(start=False)
    for move in (node.trigger_configure, node.trigger_activate):  # unconfigured, then inactive
        status, result = asker.ask()
        assert (status, result.error_code) == (ABORTED, Result.NOT_ACTIVE)
        assert "/perception: the node is not active" in result.message
        assert "ros2 lifecycle set /perception activate" in result.message
        assert move() == spin.SUCCESS
    asker.feel()
    handle = asker.send(min_confidence=0.9)
    asker.until(lambda: asker.feedback)
    assert node.trigger_deactivate() == spin.SUCCESS
    status, result = asker.result(handle)
    assert (status, result.error_code) == (ABORTED, Result.NOT_ACTIVE)
    assert result.message == "/perception: the node was deactivated meanwhile"


def test_a_bundle_that_cannot_judge_grasps(asker, touch_bundle) -> None:
    asker.graph.perception(inference={"bundle": str(touch_bundle)})
    status, result = asker.ask()
    assert (status, result.error_code) == (ABORTED, Result.NO_GRASP_HEAD)
    assert result.message == (
        "touch: has no head that judges grasps. Set parameter 'inference.bundle' to one that can"
    )


def test_a_node_that_hears_nothing_of_a_grasp(asker) -> None:
    asker.graph.perception(streams={"camera": {}})
    _, result = asker.ask()
    assert result.error_code == Result.NO_GRASP_HEAD
    assert result.message == (
        "tiny: head 'grasp' reads tactile_left, tactile_right, and this node hears none of them. "
        "Add one to parameter 'streams'"
    )


def test_pictures_on_request(asker, judged) -> None:
    asker.graph.perception()
    asker.feel()
    _, result = asker.ask(overlay=True)
    assert result.decision == Result.HOLD
    assert list(result.overlay_streams) == ["tactile_left", "tactile_right"]
    for picture in result.overlays:
        assert decode_compressed(picture, "overlay").shape == (24, 32, 3)
        assert picture.header.stamp == result.header.stamp
        assert picture.header.frame_id == "finger"


def test_pictures_that_cannot_be_had_do_not_keep_the_decision(asker, judged, monkeypatch) -> None:
    node = asker.graph.perception()
    asker.feel()

    def fail(*_: Any) -> None:
        raise MemoryError("no room to draw")

    with monkeypatch.context() as patched:
        patched.setattr(Focus, "overlays", fail)
        _, result = asker.ask(overlay=True)
    assert (result.decision, len(result.overlays)) == (Result.HOLD, 0)
    assert "the pictures could not be drawn: MemoryError('no room to draw')" in result.message

    done = threading.Event()
    with monkeypatch.context() as patched:  # a slow artist
        patched.setattr(Focus, "overlays", lambda *_: done.wait(LONG_S) and {})
        _, result = asker.ask(0.3, overlay=True)
        done.set()
    assert (result.decision, len(result.overlays)) == (Result.HOLD, 0)
    assert result.message.endswith("there was no time for pictures")

    node._served.overlays.focus.streams = {}  # as of a bundle whose head does not weigh places
    _, result = asker.ask(overlay=True)
    assert result.error_code == Result.BAD_GOAL
    assert result.message == "overlay: got true; expected false: 'grasp' does not weigh places"


def test_in_simulated_time_the_limit_is_simulated(asker, messages) -> None:
    node = asker.graph.perception(start=False)
    node.set_parameters([Parameter("use_sim_time", value=True)])
    node.trigger_configure()
    node.trigger_activate()
    _, result = asker.ask(0.2)
    assert result.error_code == Result.NO_PREDICTION
    assert result.message.endswith("use_sim_time is set and no /clock has come")

    clock, now_ns = asker.graph.publisher("/clock", Clock), 10**12

    def tick(step_ns: int) -> int:
        nonlocal now_ns
        now_ns += step_ns
        clock.publish(Clock(clock=messages.stamp(now_ns)))
        return node.get_clock().now().nanoseconds

    asker.until(lambda: tick(1000))
    begun_ns = now_ns
    done = asker.send(3600.0).get_result_async()
    asker.until(lambda: done.done() or (tick(60 * 10**9) and False))
    assert done.result().result.error_code == Result.NO_PREDICTION
    assert now_ns - begun_ns >= 3599 * 10**9


def test_a_call_that_raises_is_told_and_the_node_goes_on(asker, judged, monkeypatch) -> None:
    node, told = asker.graph.perception(), []
    monkeypatch.setattr(guard, "get_logger", lambda name: SimpleNamespace(error=told.append))

    def fail() -> None:
        raise MemoryError("no room")

    node._requests.soon(fail)
    asker.until(lambda: told)
    assert "MemoryError: no room" in told[0]
    asker.feel()
    assert asker.ask()[1].error_code == Result.OK
