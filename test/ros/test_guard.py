"""What raises in a task is told, and nothing else happens; see rclpy issue 1641."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not there (`make test` installs it)")

import rclpy
from std_srvs.srv import Trigger

from xmodal_msgs.action import AssessGrasp
from xmodal_ros.ros import guard, spin
from xmodal_ros.ros.goals import Goals
from xmodal_ros.ros.guard import GuardedClient

MOST_TURNS = 300


class Peer:
    """A node with a guarded executor, and what it told."""

    def __init__(self, told: list[str]) -> None:
        self.node, self.told = rclpy.create_node("peer"), told
        self.executor = spin.executor()
        self.executor.add_node(self.node)

    def until(self, condition: Callable[[], Any]) -> None:
        for _ in range(MOST_TURNS):
            if condition():
                return
            self.executor.spin_once(timeout_sec=0.1)
        raise TimeoutError

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()


@pytest.fixture
def peer(own_domain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peer]:
    told: list[str] = []
    monkeypatch.setattr(guard, "get_logger", lambda name: SimpleNamespace(error=told.append))
    rclpy.init(args=[])
    made = Peer(told)
    yield made
    made.close()
    rclpy.shutdown()


def fail(*_: Any) -> None:
    raise RuntimeError("no luck")


def task(peer: Peer) -> None:
    peer.executor.create_task(fail)


def response(peer: Peer) -> None:
    peer.node.create_service(Trigger, "pull", lambda _, answer: answer)
    client = peer.node.create_client(Trigger, "pull")
    peer.until(client.service_is_ready)
    client.call_async(Trigger.Request()).add_done_callback(fail)


def goal(peer: Peer) -> None:
    Goals(peer.node, AssessGrasp, "assess", fail)
    client = GuardedClient(peer.node, AssessGrasp, "assess")
    peer.until(client.server_is_ready)
    client.send_goal_async(AssessGrasp.Goal())


def feedback(peer: Peer) -> None:
    def accept(handle: Any) -> None:
        handle.publish_feedback(AssessGrasp.Feedback())

    Goals(peer.node, AssessGrasp, "assess", accept)
    client = GuardedClient(peer.node, AssessGrasp, "assess")
    peer.until(client.server_is_ready)
    client.send_goal_async(AssessGrasp.Goal(), fail)


@pytest.mark.parametrize("raising", [task, response, goal, feedback])
def test_what_raises_is_told_and_the_process_goes_on(peer: Peer, raising) -> None:
    raising(peer)
    peer.until(lambda: peer.told)
    assert "RuntimeError: no luck" in peer.told[0]
    done = peer.executor.create_task(lambda: 7)
    peer.until(done.done)
    assert done.result() == 7
