"""The service `~/predict` through the real graph, and services that answer later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import rclpy
from builtin_interfaces.msg import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.experimental import EventsExecutor
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from xmodal_msgs.msg import GraspSuccess
from xmodal_msgs.srv import Predict
from xmodal_ros.data.decode import stamp_ns
from xmodal_ros.ros import spin
from xmodal_ros.ros.later import LaterService

Response = Predict.Response
SERVICE, CAMERA = "/perception/predict", "/camera/image_raw"
FINGERS = ("/tactile_left/image_raw", "/tactile_right/image_raw")


def asked(timeout_s: float, *streams: str) -> Predict.Request:
    limit = Duration(sec=int(timeout_s), nanosec=round(timeout_s % 1 * 1e9))
    return Predict.Request(timeout=limit, required_streams=streams)


class Sensors:
    """Publish on some topics, all with one stamp."""

    def __init__(self, graph: Any, messages: Any) -> None:
        self._graph, self._messages = graph, messages
        self._publishers: dict[str, Any] = {}
        self.sent: list[int] = []
        self._next_s = 0.0

    def sense(self, *topics: str) -> None:
        for topic in topics:
            if topic not in self._publishers:
                self._publishers[topic] = self._graph.connected(topic, Image)
        self._topics = topics

    def until(self, condition: Callable[[], Any]) -> Any:
        def found() -> Any:
            if time.monotonic() > self._next_s:
                self._next_s = time.monotonic() + 0.04
                self.sent.append(time.time_ns())
                for topic in self._topics:
                    self._publishers[topic].publish(self._messages.image(self.sent[-1]))
            return condition()

        return self._graph.until(found)


def test_all_heads_answer_to_the_next_observation(graph, messages) -> None:
    node = graph.perception()
    grasps = graph.collect("/perception/grasp", GraspSuccess)
    sensors = Sensors(graph, messages)
    client = graph.peer.create_client(Predict, SERVICE)
    graph.until(client.service_is_ready)
    graph.until(lambda: node.count_clients(SERVICE))

    sensors.sense(*FINGERS)
    first = client.call_async(asked(100.0))
    second = client.call_async(asked(100.0, "camera"))  # several wait at once
    sensors.until(first.done)
    answer = first.result()
    assert (answer.error_code, answer.message) == (Response.OK, "")
    assert stamp_ns(answer.header.stamp) in sensors.sent
    assert answer.header.frame_id == "finger"
    assert (list(answer.grasp_heads), list(answer.material_heads)) == (["grasp"], [])
    sensors.until(lambda: [m for m in grasps if m.header.stamp == answer.header.stamp])
    assert answer.grasps[0] in grasps

    # What it waits for does not come, and the node goes on with all else.
    assert graph.call(Trigger, "/perception/capture_reference", Trigger.Request()).success
    assert not second.done()
    sensors.sense(CAMERA, *FINGERS)
    sensors.until(second.done)
    answer = second.result()
    assert list(answer.material_heads) == ["material"]
    assert answer.materials[0].label in ("wood", "metal", "fabric")
    assert "camera" in answer.materials[0].info.streams


def test_refusals_say_why(graph) -> None:
    node = graph.perception()

    def ask(timeout_s: float, *streams: str) -> tuple[int, str]:
        answer = graph.call(Predict, SERVICE, asked(timeout_s, *streams))
        return answer.error_code, answer.message

    code, text = ask(0.2)
    assert code == Response.NO_PREDICTION
    assert text.startswith(
        "tactile_left: no prediction within 0.2 s. nothing publishes /tactile_left/image_raw"
    )
    assert ask(0.0) == (
        Response.BAD_REQUEST,
        "timeout: got 0 s; expected more than 0 s",
    )
    code, text = ask(1.0, "nose")
    assert code == Response.BAD_REQUEST
    assert text.startswith("required_streams: got 'nose'; expected some of camera, tactile_left")

    client = graph.peer.create_client(Predict, SERVICE)
    graph.until(client.service_is_ready)
    graph.until(lambda: node.count_clients(SERVICE))
    waiting = client.call_async(asked(100.0))
    graph.spin(0.2)
    graph.spin(0.2)
    assert node.trigger_deactivate() == spin.SUCCESS
    graph.until(waiting.done)
    assert waiting.result().error_code == Response.NOT_ACTIVE
    assert ask(1.0)[0] == Response.NOT_ACTIVE


@pytest.mark.parametrize("make", [SingleThreadedExecutor, EventsExecutor])
def test_a_service_can_answer_later_in_any_executor(own_domain, make) -> None:
    rclpy.init(args=[])
    node, executor = rclpy.create_node("late"), make()
    executor.add_node(node)
    waiting: list[Callable[[Any], None]] = []
    service = LaterService(node, Trigger, "~/later", lambda _, answer: waiting.append(answer))
    client = node.create_client(Trigger, "/late/later")

    def until(condition: Callable[[], Any]) -> None:
        end_s = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end_s, "waited in vain"
            executor.spin_once(timeout_sec=0.05)

    until(client.service_is_ready)
    asked = [client.call_async(Trigger.Request()) for _ in range(2)]
    until(lambda: len(waiting) == 2)
    assert not any(future.done() for future in asked)
    for number, answer in enumerate(waiting):
        answer(Trigger.Response(message=str(number)))
    until(lambda: all(future.done() for future in asked))
    assert [future.result().message for future in asked] == ["0", "1"]
    service.close()
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()
