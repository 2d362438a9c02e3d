"""Questions through the real graph: answers, refusals, and what ends an answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="the language model's packages are not there")

from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from sensor_msgs.msg import Image, Imu

from xmodal_msgs.action import DescribeScene
from xmodal_ros.core.errors import BundleError, SettingsError
from xmodal_ros.ros import describe_server, parameters
from xmodal_ros.ros.describe import DescribeNode
from xmodal_ros.runtime.language.describer import Describer, Description

Result = DescribeScene.Result
ACTION = "/describe/describe_scene"
QUESTION = "What is the robot doing?"
CAMERA, IMU = "/camera/image_raw", "/imu/data_raw"


class Asked:
    """A node in this process, sensors and a client of its action in the peer's."""

    def __init__(self, graph: Any, messages: Any, describer: Path | str, **groups: Any) -> None:
        self._graph, self._messages = graph, messages
        settings = {
            "inference": {"backend": "torch"},
            "language": {"path": str(describer), "max_tokens": 16},
            "streams": {"camera": {}, "imu": {"tolerance_s": 2.0}},  # a busy machine makes gaps
            **groups,
        }
        self.node = DescribeNode(parameter_overrides=parameters.overrides(settings))
        graph.add(self.node)
        self.client = ActionClient(graph.peer, DescribeScene, ACTION)
        self.feedback: list[str] = []
        self._sensors: list[Callable[[], Any]] = []
        self._next_s = 0.0

    def sense(self) -> None:
        """Have camera and IMU publish from now on, and wait until they are heard."""
        kinds = ((CAMERA, Image, self._messages.image), (IMU, Imu, self._messages.imu))
        for topic, kind, make in kinds:
            publisher = self._graph.connected(topic, kind)
            self._sensors.append(lambda p=publisher, m=make: p.publish(m(time.time_ns())))
        # A second of the past, so that the window is full enough at once.
        for k in range(25, 0, -1):
            publisher.publish(self._messages.imu(time.time_ns() - k * 50_000_000))
        seen = self.node._latest
        self.until(lambda: seen._observation and len(seen._observation.present) == 2)

    def until(self, condition: Callable[[], Any]) -> Any:
        def found() -> Any:
            if time.monotonic() > self._next_s:  # not faster than the node hears
                self._next_s = time.monotonic() + 0.1
                for publish in self._sensors:
                    publish()
            return condition()

        return self._graph.until(found)

    def send(self, question: str = QUESTION, timeout_s: float = 0.0) -> Any:
        """Send a goal; its handle."""
        self.until(self.client.server_is_ready)
        goal = DescribeScene.Goal(
            question=question,
            timeout=Duration(sec=int(timeout_s), nanosec=int(timeout_s % 1 * 1e9)),
        )
        sent = self.client.send_goal_async(goal, lambda m: self.feedback.append(m.feedback.text))
        self.until(sent.done)
        return sent.result()

    def result(self, handle: Any) -> tuple[int, DescribeScene.Result]:
        """Status and result of a goal."""
        done = handle.get_result_async()
        self.until(done.done)
        return done.result().status, done.result().result

    def ask(self, *goal: Any) -> tuple[int, DescribeScene.Result]:
        return self.result(self.send(*goal))

    def close(self) -> None:
        self.client.destroy()
        self.node.close()


@pytest.fixture
def start(graph, messages) -> Iterator[Callable[..., Asked]]:
    made: list[Asked] = []

    def make(describer: Path | str, **groups: Any) -> Asked:
        made.append(Asked(graph, messages, describer, **groups))
        return made[-1]

    yield make
    for asked in made:
        asked.close()


class Slow:
    """Stands in for `Describer.describe`: says "one", then waits to be let go or told to stop.

    With `deaf`, it does not notice that it shall stop.
    """

    def __init__(self, monkeypatch: Any, deaf: bool = False) -> None:
        self.go, self.begun, self._deaf = threading.Event(), threading.Event(), deaf
        answer = Describer.describe
        warmed: list[bool] = []

        def describe(describer: Any, question: str, *rest: Any, **more: Any) -> Description:
            if not warmed:  # the node's own question, before any goal
                warmed.append(True)
                return answer(describer, question, *rest, **more)
            return self._describe(*rest)

        monkeypatch.setattr(Describer, "describe", describe)

    def _describe(self, _: Any, on_token: Any, deadline_s: float, cancelled: Any) -> Description:
        on_token("one")
        self.begun.set()
        end_s, ended = time.monotonic() + deadline_s, "end"
        while not self.go.wait(0.005):
            if not self._deaf and (cancelled() or time.monotonic() > end_s):
                ended = "cancelled" if cancelled() else "deadline"
                break
        return Description("one", 1, 0.5, ended, ended == "end", 0.5, 1)


def test_a_question_is_answered_about_what_is_heard(start, tiny_describer) -> None:
    asked = start(tiny_describer)
    asked.sense()
    before_ns = time.time_ns()
    status, result = asked.ask()
    assert (status, result.error_code) == (GoalStatus.STATUS_SUCCEEDED, Result.OK)
    assert result.text
    asked.until(lambda: asked.feedback and asked.feedback[-1].strip() == result.text)
    assert result.text.startswith(asked.feedback[0].strip())
    assert result.modalities_used == 0b0101  # camera and IMU
    assert 0 < result.confidence <= 1
    assert result.model_id == tiny_describer.name
    assert result.duration.sec + result.duration.nanosec > 0
    stamp_ns = result.header.stamp.sec * 10**9 + result.header.stamp.nanosec
    assert abs(stamp_ns - before_ns) < 2e9
    assert result.header.frame_id == "finger"  # the camera is the anchor


def test_other_scripts_are_answered(start, tiny_describer) -> None:
    asked = start(tiny_describer)
    asked.sense()
    for question in ("机器人在做什么?", "ماذا يفعل الروبوت؟", "🤖" * 3):
        assert asked.ask(question)[1].error_code == Result.OK


def test_bad_questions_are_refused_with_the_reason(start, tiny_describer) -> None:
    asked = start(tiny_describer)
    asked.sense()
    for question, text in {
        "": "question: is empty",
        " \n": "question: is empty",
        "what " * 200: "question: has ",
        "x" * 1_000_000: "question: has 1000000 characters",
    }.items():
        status, result = asked.ask(question)
        assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.BAD_QUESTION)
        assert text in result.message
    assert asked.ask()[1].error_code == Result.OK  # the next one is answered


def test_without_a_language_model_the_answer_says_how_to_get_one(start) -> None:
    status, result = start("").ask()
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.NO_MODEL)
    assert "set parameter 'language.path'" in result.message


def test_without_sensors_the_answer_says_what_is_silent(start, tiny_describer) -> None:
    _, result = start(tiny_describer).ask()
    assert result.error_code == Result.NO_OBSERVATION
    assert result.message.startswith("camera: gave nothing yet. nothing publishes /camera/image_r")


def test_what_sensors_gave_long_ago_is_not_described(start, tiny_describer, monkeypatch) -> None:
    asked = start(tiny_describer)
    asked.sense()
    monkeypatch.setattr("xmodal_ros.ros.latest.MAX_AGE_S", -1.0)
    _, result = asked.ask()
    assert result.error_code == Result.NO_OBSERVATION
    assert result.message.startswith("camera: gave nothing for 0.")


def test_one_question_at_a_time(start, tiny_describer, monkeypatch) -> None:
    slow = Slow(monkeypatch)
    asked = start(tiny_describer)
    asked.sense()
    first = asked.send()
    asked.until(slow.begun.is_set)
    status, result = asked.ask()
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.BUSY)
    assert "another question is being answered" in result.message
    slow.go.set()
    result = asked.result(first)[1]
    assert (result.error_code, result.abstained) == (Result.OK, True)
    assert asked.feedback == ["one"]


def test_cancel_gives_what_was_written(start, tiny_describer, monkeypatch) -> None:
    Slow(monkeypatch)
    asked = start(tiny_describer)
    asked.sense()
    handle = asked.send()
    asked.until(lambda: asked.feedback)
    canceled = handle.cancel_goal_async()
    asked.until(canceled.done)
    status, result = asked.result(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_CANCELED, Result.CANCELED)
    assert (result.text, result.truncated) == ("one", True)


def test_the_time_limit_of_the_goal_holds(start, tiny_describer, monkeypatch) -> None:
    Slow(monkeypatch)
    asked = start(tiny_describer)
    asked.sense()
    status, result = asked.ask(QUESTION, 0.2)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.TIMEOUT)
    assert (result.text, result.truncated) == ("one", True)


def test_a_model_that_does_not_stop_is_not_waited_for(start, tiny_describer, monkeypatch) -> None:
    monkeypatch.setattr(describe_server, "OVERDUE_S", 0.1)
    slow = Slow(monkeypatch, deaf=True)
    asked = start(tiny_describer)
    asked.sense()
    _, result = asked.ask(QUESTION, 0.1)
    assert (result.error_code, result.text) == (Result.TIMEOUT, "one")
    assert asked.ask()[1].error_code == Result.BUSY  # it still computes
    slow.go.set()
    asked.until(lambda: asked.ask()[1].error_code == Result.OK)


def test_a_failure_is_told_and_the_node_lives(start, tiny_describer, monkeypatch) -> None:
    asked = start(tiny_describer)
    asked.sense()

    def fail(*_: Any) -> None:
        raise MemoryError("no room to think")

    with monkeypatch.context() as patched:
        patched.setattr(Describer, "describe", fail)
        status, result = asked.ask()
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.FAILED)
    assert "no room to think" in result.message
    assert asked.ask()[1].error_code == Result.OK


def test_an_incomplete_describer_stops_the_node_with_the_file(start, tmp_path) -> None:
    with pytest.raises(BundleError, match=r"describer.yaml and weights.safetensors missing"):
        start(tmp_path)
    with pytest.raises(SettingsError, match=r"unknown setting 'paht'. Did you mean 'path'?"):
        start("", language={"paht": "x"})


def test_from_a_shell_at_the_lowest_priority(graph, messages, processes, tiny_describer) -> None:
    values = (f"language.path={tiny_describer}", "language.max_tokens=16")
    node = processes.start("describe", *(part for v in values for part in ("--set", v)))
    camera = graph.connected(CAMERA, Image)

    def look() -> None:
        camera.publish(messages.image(time.time_ns()))

    def asked(*arguments: str) -> tuple[int, str]:
        client = processes.start("ask", *arguments, "--timeout", "100")
        graph.until(lambda: look() or client.poll() is not None)
        return client.returncode, processes.output(client)

    assert asked(QUESTION)[0] == 0
    assert asked(" ") == (1, "question: is empty; expected a question")
    assert os.getpriority(os.PRIO_PROCESS, node.pid) == 19
    assert processes.stop(node) == 0


def test_an_interruption_cancels(start, tiny_describer, monkeypatch, processes) -> None:
    slow = Slow(monkeypatch)
    asked = start(tiny_describer)
    asked.sense()
    client = processes.start("ask", QUESTION, "--timeout", "100")
    asked.until(slow.begun.is_set)
    client.send_signal(signal.SIGINT)
    asked.until(lambda: client.poll() is not None)
    assert (client.returncode, processes.output(client)) == (1, "one canceled")


def test_nobody_to_ask(graph, processes) -> None:
    client = processes.start("ask", QUESTION, "--node", "/nobody", "--timeout", "0.2")
    assert client.wait() == 2
    text = "/nobody: is not there within 0.2 s. Start it: xmodal describe --set language.path="
    assert text in processes.output(client)
