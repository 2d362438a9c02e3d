"""Bundles exchanged while the node runs: nothing is lost, and what cannot be is refused."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from sensor_msgs.msg import Image

from xmodal_msgs.action import AssessGrasp
from xmodal_msgs.msg import GraspSuccess, ModelInfo
from xmodal_msgs.srv import ListMaterials, LoadBundle
from xmodal_ros.data.decode import stamp_ns
from xmodal_ros.ros import bundle_server, qos, spin
from xmodal_ros.ros.model import Model
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import HeadCard
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.runtime.save import save_bundle

Response = LoadBundle.Response
TOPIC = "/tactile_left/image_raw"
STEP_NS = 40_000_000


@pytest.fixture
def save(tiny_bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """Save a bundle with other weights than the tiny one's, and changes to its architecture."""

    def made(name: str, architecture: dict[str, Any], **heads: HeadCard) -> Path:
        import torch

        from xmodal_ros.nn.network import build_network

        torch.manual_seed(1)
        known = {**Bundle.load(tiny_bundle).heads, **heads}
        save_bundle(
            tmp_path / name,
            name=name,
            network=build_network(architecture),
            architecture=architecture,
            heads={head: known[head] for head in architecture["heads"]},
            licence="MIT",
            card=f"# {name}\n",
        )
        return tmp_path / name

    return made


class Finger:
    """A gel that is seen again and again, the next image when the last one is answered."""

    def __init__(self, graph: Any, messages: Any) -> None:
        self._graph, self._messages = graph, messages
        self._publisher = graph.connected(TOPIC, Image)
        self.answers = graph.collect("/perception/grasp", GraspSuccess)
        graph.until(lambda: graph.peer.count_publishers("/perception/grasp"))
        self.sent: list[int] = []

    def until(self, condition: Callable[[], Any]) -> Any:
        """Go on until something is true."""

        def found() -> Any:
            if len(self.answers) == len(self.sent):
                self.sent.append(10**18 + len(self.sent) * STEP_NS)
                self.publish(self.sent[-1])
            return condition()

        return self._graph.until(found)

    def publish(self, time_ns: int) -> None:
        """Show one image."""
        self._publisher.publish(self._messages.image(time_ns))

    def see(self, times: int) -> None:
        """Show some more images."""
        wanted = len(self.answers) + times
        self.until(lambda: len(self.answers) >= wanted)

    @property
    def models(self) -> list[str]:
        """Which bundles answered, in order."""
        return list(dict.fromkeys(answer.info.model_id for answer in self.answers))


@pytest.fixture
def asker(graph) -> Callable[..., Any]:
    """Ask for a bundle; the answer is there when it is done."""
    clients: list[Any] = []

    def ask(path: Any, taught: str = "") -> Any:
        if not clients:
            clients.append(graph.peer.create_client(LoadBundle, "/perception/load_bundle"))
            graph.until(clients[0].service_is_ready)
            graph.until(lambda: graph.nodes[-1].count_clients("/perception/load_bundle"))
        request = LoadBundle.Request(path=str(path), taught=str(taught))
        return clients[0].call_async(request)

    return ask


@pytest.fixture
def node(graph) -> Any:
    return graph.perception(streams={"tactile_left": {}}, output={"lock_step": True})


@pytest.mark.parametrize("lock_step", [True, False])
def test_each_observation_is_answered_by_one_bundle_or_the_other(
    graph, messages, asker, save, tiny_architecture, lock_step
) -> None:
    node = graph.perception(streams={"tactile_left": {}}, output={"lock_step": lock_step})
    other = save("other", tiny_architecture)
    known = graph.collect("/perception/model_info", ModelInfo, qos.latched())
    finger = Finger(graph, messages)
    finger.see(3)
    for path, name in ((other, "other"), (graph.bundle, "tiny"), (other, "other")):
        answer = asker(path)
        finger.until(answer.done)
        done = answer.result()
        assert (done.error_code, done.model_id) == (Response.OK, name), done.message
        assert done.weights_hash == Bundle.load(path).weights_hash
        finger.see(3)
        graph.until(lambda name=name: known[-1].model_id == name)
    graph.until(lambda: len(finger.answers) == len(finger.sent))
    assert [stamp_ns(a.header.stamp) for a in finger.answers] == finger.sent
    names = [answer.info.model_id for answer in finger.answers]
    changes = [names[0], *(b for a, b in pairwise(names) if a != b)]
    assert changes == ["tiny", "other", "tiny", "other"]
    graph.until(lambda: not node._replaced)


def test_what_comes_faster_than_it_is_answered_meanwhile_is_answered_late(
    graph, messages, asker, save, tiny_architecture, monkeypatch
) -> None:
    node = graph.perception(streams={"tactile_left": {}})
    finger = Finger(graph, messages)
    finger.see(1)
    go_on, busy = threading.Event(), threading.Event()

    def slow(settings: Any) -> Model:
        assert go_on.wait(60)
        return Model(settings)

    monkeypatch.setattr(bundle_server, "Model", slow)
    answer = asker(save("other", tiny_architecture))
    graph.until(lambda: node._bundles.loading)
    predict = Predictor.predict

    def late(*given: Any) -> Any:
        assert busy.wait(60)
        return predict(*given)

    monkeypatch.setattr(Predictor, "predict", late)
    times = [10**18 + (100 + k) * STEP_NS for k in range(4)]
    for time_ns in times:
        formed = node._session.pipeline.health.formed
        finger.publish(time_ns)
        graph.until(lambda formed=formed: node._session.pipeline.health.formed > formed)
    busy.set()
    graph.until(lambda: {stamp_ns(a.header.stamp) for a in finger.answers} >= set(times))
    go_on.set()
    graph.until(answer.done)
    assert node._session.pipeline.dropped == 0


def test_what_cannot_be_loaded_is_refused_and_the_old_one_answers_on(
    graph, messages, node, asker, tmp_path
) -> None:
    finger, broken = Finger(graph, messages), tmp_path / "broken"
    shutil.copytree(graph.bundle, broken)
    (broken / "weights.safetensors").write_bytes(b"no weights")
    finger.see(1)
    for path, code, text in (
        (tmp_path / "nowhere", Response.BAD_BUNDLE, "nowhere"),
        (broken, Response.BAD_BUNDLE, "weights.safetensors"),
    ):
        answer = asker(path)
        finger.until(answer.done)
        assert answer.result().error_code == code
        assert text in answer.result().message
        assert answer.result().model_id == ""
    finger.see(2)
    assert finger.models == ["tiny"]


def test_a_bundle_that_reads_otherwise_waits_until_the_node_is_inactive(
    graph, messages, node, asker, save, tiny_architecture
) -> None:
    tiny_architecture["branches"]["gel"]["spacing_s"] = 0.2
    other, finger = save("slower", tiny_architecture), Finger(graph, messages)
    answer = asker(other)
    finger.until(answer.done)
    assert answer.result().error_code == Response.OTHER_INPUTS
    text = "slower: reads tactile_left as Clip(frames=4, spacing_s=0.2), not Clip(frames=4, spac"
    assert text in answer.result().message
    finger.see(2)
    assert finger.models == ["tiny"]

    finger.sent.append(finger.sent[-1] + STEP_NS)
    finger.publish(finger.sent[-1])  # on its way when the node is deactivated
    assert node.trigger_deactivate() == spin.SUCCESS
    answer = asker(other)
    graph.until(answer.done)
    assert answer.result().model_id == "slower", answer.result().message
    assert node.trigger_activate() == spin.SUCCESS
    graph.until(lambda: (finger.publish(finger.sent[-1]), "slower" in finger.models)[1])
    assert finger.models == ["tiny", "slower"]


def test_a_goal_goes_on_with_the_next_bundle_or_ends_with_the_reason(
    graph, messages, node, asker, save, tiny_architecture
) -> None:
    client = ActionClient(graph.peer, AssessGrasp, "/perception/assess_grasp")
    finger = Finger(graph, messages)
    finger.until(client.server_is_ready)

    def begin() -> Any:
        # So sure it never is.
        goal = AssessGrasp.Goal(timeout=Duration(sec=100), min_confidence=1.0)
        sent = client.send_goal_async(goal)
        finger.until(sent.done)
        return sent.result().get_result_async()

    result = begin()
    finger.until(asker(save("other", tiny_architecture)).done)
    finger.see(2)
    assert not result.done()
    del tiny_architecture["heads"]["grasp"]
    tiny_architecture["heads"]["material"]["streams"] = ["camera", "tactile_left"]
    answer = asker(save("blind", tiny_architecture))
    graph.until(answer.done)
    assert answer.result().error_code == Response.OK, answer.result().message
    graph.until(result.done)
    found = result.result().result
    assert found.error_code == AssessGrasp.Result.NO_GRASP_HEAD
    assert "blind: has no head 'grasp' that judges grasps" in found.message


def test_materials_are_of_the_file_that_is_named(graph, touch_bundle, asker, tmp_path) -> None:
    from xmodal_ros.runtime.taught import Material, TaughtFile

    bundle = Bundle.load(touch_bundle)
    size = bundle.statistics()["material"]["means"].shape[1]
    for name, weights in (("mine", bundle.weights_hash), ("another", "0" * 64)):
        file = TaughtFile(tmp_path / name, "touch", weights, size)
        file.write([Material("cork", np.ones((2, size), np.float32))])
    graph.perception(
        inference={"bundle": str(touch_bundle)},
        streams={"tactile_left": {}},
        output={"lock_step": True},
    )
    refused = asker(touch_bundle, tmp_path / "another")
    graph.until(refused.done)
    assert refused.result().error_code == Response.BAD_BUNDLE
    assert "was taught to bundle 'touch', or to other weights" in refused.result().message
    for taught, names in ((tmp_path / "mine", ["cork"]), ("", [])):
        answer = asker(touch_bundle, taught)
        graph.until(answer.done)
        assert answer.result().error_code == Response.OK, answer.result().message
        listed = graph.call(ListMaterials, "/perception/list_materials", ListMaterials.Request())
        assert list(listed.names) == names


def test_one_at_a_time_and_only_where_there_is_a_model(graph, asker, monkeypatch) -> None:
    node = graph.perception(start=False)
    answer = asker(graph.bundle)
    graph.until(answer.done)
    assert answer.result().error_code == Response.NOT_CONFIGURED
    assert "Configure it: ros2 lifecycle set /perception configure" in answer.result().message

    assert node.trigger_configure() == spin.SUCCESS
    begun, go_on = threading.Event(), threading.Event()

    def slow(settings: Any) -> Model:
        begun.set()
        assert go_on.wait(60)
        return Model(settings)

    monkeypatch.setattr(bundle_server, "Model", slow)
    first = asker(graph.bundle)
    graph.until(begun.is_set)
    second = asker(graph.bundle)
    graph.until(second.done)
    assert second.result().error_code == Response.BUSY
    assert node.trigger_cleanup() == spin.SUCCESS
    go_on.set()
    graph.until(first.done)
    assert first.result().error_code == Response.NOT_CONFIGURED
