"""Behaviours for py_trees, ticked in a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("py_trees", reason="requirements/trees.txt is not installed")

import py_trees
import rclpy
from py_trees.common import Status
from rclpy.task import Future
from sensor_msgs.msg import Image

from xmodal_ros.core.assess import Decision, Terms
from xmodal_ros.core.types import Modality
from xmodal_ros.ros.answers import Assessment, Recognized, Unanswered
from xmodal_ros.ros.behaviours import AssessGrasp, CheckMaterial, WaitForActivity
from xmodal_ros.ros.client import Perception


class StandIn:
    """What behaviours use of `Perception`; the test answers."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.future = Future()
        self.material: Recognized | None = None

    def assess_grasp_async(self, timeout_s: float, **options: Any) -> Future:
        self.asked.append(Terms(timeout_s, **options))
        self.future = Future()
        return self.future

    def wait_for_activity_async(self, label: str, timeout_s: float) -> Future:
        self.asked.append((label, timeout_s))
        self.future = Future()
        return self.future

    def latest_material(self, max_age_s: float) -> Recognized | None:
        self.asked.append(max_age_s)
        return self.material


@pytest.fixture
def perception() -> Iterator[StandIn]:
    py_trees.blackboard.Blackboard.clear()
    yield StandIn()
    py_trees.blackboard.Blackboard.clear()


def assessment(decision: Decision) -> Assessment:
    return Assessment(decision, 0.8, 3, (Modality.TACTILE,), 1, "finger", {}, decision.name)


def recognized(label: str, confidence: float = 0.8) -> Recognized:
    return Recognized(label, confidence, False, (Modality.CAMERA,), 1, "eye")


def written(key: str) -> Any:
    return py_trees.blackboard.Blackboard.get(key)


@pytest.mark.parametrize(
    ("decision", "status"),
    [
        (Decision.HOLD, Status.SUCCESS),
        (Decision.REGRASP, Status.FAILURE),
        (Decision.UNSURE, Status.FAILURE),
    ],
)
def test_a_grasp_is_assessed(perception, decision, status) -> None:
    behaviour = AssessGrasp("holds?", perception, 2.0, min_confidence=0.7)
    for _ in range(2):  # a tree comes back
        behaviour.tick_once()
        behaviour.tick_once()
        assert behaviour.status == Status.RUNNING
        assert written("assessment") is None  # not the one of before
        perception.future.set_result(assessment(decision))
        behaviour.tick_once()
        assert behaviour.status == status
        assert written("assessment") == assessment(decision)
        assert behaviour.feedback_message == decision.name
    assert perception.asked == [Terms(2.0, min_confidence=0.7)] * 2


def test_a_question_without_answer_fails_with_the_reason(perception) -> None:
    behaviour = AssessGrasp("holds?", perception, 2.0, key="mine")
    behaviour.tick_once()
    perception.future.set_exception(Unanswered("is not there", where="perception"))
    behaviour.tick_once()
    assert behaviour.status == Status.FAILURE
    assert behaviour.feedback_message == "perception: is not there"
    assert written("mine") is None


def test_a_question_that_makes_no_sense_fails_with_the_reason(perception) -> None:
    behaviour = AssessGrasp("holds?", perception, -1.0)
    behaviour.tick_once()
    assert behaviour.status == Status.FAILURE
    assert "timeout: got -1 s" in behaviour.feedback_message


def test_a_behaviour_that_is_left_cancels_its_question(perception) -> None:
    way_out = py_trees.behaviours.StatusQueue("alarm", [Status.FAILURE, Status.SUCCESS], None)
    tree = py_trees.composites.Selector(
        "root", False, [way_out, AssessGrasp("holds?", perception, 2.0)]
    )
    tree.tick_once()
    assert tree.status == Status.RUNNING
    tree.tick_once()
    assert perception.future.cancelled()


def test_an_activity_is_waited_for(perception) -> None:
    behaviour = WaitForActivity("lifting?", perception, "lift", 5.0)
    behaviour.tick_once()
    assert behaviour.status == Status.RUNNING
    perception.future.set_result(recognized("lift"))
    behaviour.tick_once()
    assert behaviour.status == Status.SUCCESS
    assert behaviour.feedback_message == "lift, with confidence 0.80"
    assert written("activity").label == "lift"
    assert perception.asked == [("lift", 5.0)]


@pytest.mark.parametrize(
    ("found", "status", "text"),
    [
        (recognized("wood"), Status.SUCCESS, "wood, with confidence 0.80"),
        (recognized("wood", 0.4), Status.FAILURE, "wood, with confidence 0.40"),
        (recognized("glass"), Status.FAILURE, "glass, with confidence 0.80"),
        (None, Status.FAILURE, "no material is recognized now"),
    ],
)
def test_a_material_is_a_guard(perception, found, status, text) -> None:
    perception.material = found
    guard = CheckMaterial("firm?", perception, ["wood", "metal"], 0.5, max_age_s=0.2)
    guard.tick_once()
    assert (guard.status, guard.feedback_message) == (status, text)
    assert perception.asked == [0.2]


def test_a_tree_in_a_node_asks_the_perception_node(graph, messages, judged) -> None:
    py_trees.blackboard.Blackboard.clear()
    graph.perception()
    finger = graph.connected("/tactile_left/image_raw", Image)
    node = rclpy.create_node("pipeline")
    graph.add(node)
    tree = py_trees.composites.Sequence("pick", True)
    tree.add_child(AssessGrasp("holds?", Perception(node), 100.0))

    def decided() -> bool:
        finger.publish(messages.image(node.get_clock().now().nanoseconds))
        tree.tick_once()
        return tree.status != Status.RUNNING

    graph.until(decided)
    assert (tree.status, written("assessment").decision) == (Status.SUCCESS, Decision.HOLD)
    node.destroy_node()
