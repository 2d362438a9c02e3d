"""The lifecycle of the node, as other nodes see it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from xmodal_msgs.msg import Activity, Embedding, GraspSuccess, MaterialClass, ModelInfo
from xmodal_ros.ros import qos, spin
from xmodal_ros.runtime.bundle import Bundle

FAILURE = TransitionCallbackReturn.FAILURE


def change(graph, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return graph.call(ChangeState, "/perception/change_state", request).success


def state(graph) -> str:
    return graph.call(GetState, "/perception/get_state", GetState.Request()).current_state.label


def test_transitions_by_service(graph) -> None:
    graph.perception(start=False)
    graph.until(lambda: graph.peer.count_subscribers("/camera/image_raw") == 0)

    for _ in range(2):  # cleanup leads back to where configure starts
        assert state(graph) == "unconfigured"
        assert change(graph, Transition.TRANSITION_CONFIGURE)
        assert state(graph) == "inactive"
        assert change(graph, Transition.TRANSITION_ACTIVATE)
        assert state(graph) == "active"
        graph.until(lambda: graph.peer.count_subscribers("/camera/image_raw") == 1)
        assert change(graph, Transition.TRANSITION_DEACTIVATE)
        graph.until(lambda: graph.peer.count_subscribers("/camera/image_raw") == 0)
        assert change(graph, Transition.TRANSITION_CLEANUP)
    assert change(graph, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert state(graph) == "finalized"


def test_a_transition_that_is_not_possible_is_refused_and_the_node_lives(graph) -> None:
    graph.perception(start=False)

    assert not change(graph, Transition.TRANSITION_ACTIVATE)
    assert state(graph) == "unconfigured"
    assert change(graph, Transition.TRANSITION_CONFIGURE)


def test_configure_fails_with_the_reason_where_the_bundle_is_broken(
    graph, tmp_path: Path, capfd
) -> None:
    broken = shutil.copytree(graph.bundle, tmp_path / "broken")
    weights = broken / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    node = graph.perception(start=False, inference={"bundle": str(broken)})

    assert node.trigger_configure() == FAILURE
    assert "weights" in capfd.readouterr().err
    assert state(graph) == "unconfigured"
    shutil.copytree(graph.bundle, broken, dirs_exist_ok=True)  # mended
    assert node.trigger_configure() == spin.SUCCESS


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"inference": {"bundle": "/nowhere"}}, "/nowhere"),
        ({"inference": {"device": "cuda:7"}}, "cuda:7"),
        ({"streams": {"camera": {"modality": "tactile"}}}, "camera.modality: got 'tactile'"),
        ({"streams": {"nose": {"modality": "camera"}}}, "no stream is one that the bundle reads"),
        ({"streams": {"camera": {"type": "sensor_msgs/msg/Imu"}}}, "sensor_msgs/msg/Imu"),
    ],
)
def test_configure_fails_with_the_reason(graph, capfd, settings, text) -> None:
    node = graph.perception(start=False, **settings)

    assert node.trigger_configure() == FAILURE
    assert text in capfd.readouterr().err


def test_model_info_is_there_for_who_comes_later(graph) -> None:
    graph.perception()
    found = graph.collect("/perception/model_info", ModelInfo, qos.latched())
    (info,) = graph.until(lambda: found)
    bundle = Bundle.load(graph.bundle)

    assert (info.model_id, info.weights_hash) == (bundle.id, bundle.weights_hash)
    assert (info.backend, info.device, info.precision) == ("torch", "cpu", "fp32")
    assert {h.name: (h.task, list(h.labels)) for h in info.heads} == {
        name: (head.task, list(head.labels)) for name, head in bundle.heads.items()
    }
    assert {i.stream: (i.height, i.width, i.frames) for i in info.inputs} == {
        name: (spec.height, spec.width, spec.frames) for name, spec in bundle.inputs.items()
    }


def test_predictions_and_embeddings_carry_stamp_and_frame_of_the_anchor(graph, messages) -> None:
    node = graph.perception(output={"embeddings": True})
    kinds = {"material": MaterialClass, "grasp": GraspSuccess, "activity": Activity}
    found = {name: graph.collect(f"/perception/{name}", kind) for name, kind in kinds.items()}
    embeddings = graph.collect("/perception/embedding", Embedding)
    graph.until(lambda: graph.peer.count_publishers("/perception/embedding"))
    finger = graph.connected("/tactile_left/image_raw", Image)
    eye = graph.connected("/camera/image_raw", Image)
    sent = set()

    def see() -> bool:
        now_ns = node.get_clock().now().nanoseconds
        sent.add(now_ns)
        eye.publish(messages.image(now_ns))
        finger.publish(messages.image(now_ns))
        return found["grasp"] and found["material"] and embeddings

    graph.until(see)
    assert not found["activity"]  # no IMU
    for message in (*found["grasp"], *found["material"], *embeddings):
        header = message.header
        assert header.stamp.sec * 10**9 + header.stamp.nanosec in sent
        assert header.frame_id == "finger"
    assert found["grasp"][0].info.modalities_used == 2
    assert len(embeddings[0].vector) == 32


def test_the_no_contact_image_can_be_captured_anew(graph) -> None:
    graph.perception()
    answer = graph.call(Trigger, "/perception/capture_reference", Trigger.Request())

    assert answer.success
    assert "tactile_left, tactile_right" in answer.message
