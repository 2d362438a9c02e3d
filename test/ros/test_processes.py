"""The node in a process of its own: how it starts, and how it ends."""

from __future__ import annotations

import signal

import pytest
from builtin_interfaces.msg import Duration
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action import ActionClient
from sensor_msgs.msg import Image

from xmodal_msgs.action import AssessGrasp


def arguments(bundle) -> tuple[str, ...]:
    return ("node", "--set", f"inference.bundle={bundle}", "--set", "inference.backend=torch")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly_at_work(graph, processes, messages, number) -> None:
    node = processes.start(*arguments(graph.bundle))
    finger = graph.connected("/tactile_left/image_raw", Image)
    client = ActionClient(graph.peer, AssessGrasp, "/perception/assess_grasp")
    graph.until(client.server_is_ready)
    client.send_goal_async(AssessGrasp.Goal(timeout=Duration(sec=100), min_confidence=1.0))
    for step in range(20):
        finger.publish(messages.image(graph.peer.get_clock().now().nanoseconds + step))

    assert processes.stop(node, number) == 0
    assert "Traceback" not in processes.output(node)


def test_a_node_that_was_shut_down_by_service_ends_cleanly_too(graph, processes) -> None:
    node = processes.start(*arguments(graph.bundle))
    graph.connected("/tactile_left/image_raw", Image)
    transition = Transition(id=Transition.TRANSITION_ACTIVE_SHUTDOWN)
    answer = graph.call(
        ChangeState, "/perception/change_state", ChangeState.Request(transition=transition)
    )

    assert answer.success
    assert processes.stop(node) == 0


@pytest.mark.parametrize(
    ("assignment", "code", "text"),
    [
        ("inference.bundle:=/nowhere", 1, "/nowhere"),
        ("sync.timeout:=1.0", 2, "sync: unknown setting 'timeout'. Did you mean 'timeout_s'?"),
    ],
)
def test_a_node_that_cannot_start_says_why(processes, own_domain, assignment, code, text) -> None:
    node = processes.start("node", "--ros-args", "-p", assignment)

    assert node.wait(60) == code
    assert text in processes.output(node)
    assert "Traceback" not in processes.output(node)
