"""Teaching materials to the running node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import Image

from xmodal_msgs.msg import MaterialClass, ModelInfo
from xmodal_msgs.srv import ForgetMaterial, ListMaterials, RenameMaterial, TeachMaterial
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.types import Prediction
from xmodal_ros.data.recording import Recording
from xmodal_ros.eval.adapt import adapt
from xmodal_ros.eval.evaluate import evaluate
from xmodal_ros.ros import qos, spin
from xmodal_ros.ros.model import Model
from xmodal_ros.ros.pipeline import Pipeline

KNOWN = ["wood", "metal", "fabric"]


def gel(pressed: float) -> np.ndarray:
    y, x = np.mgrid[:24, :32]
    bump = 90 * pressed * np.exp(-((x - 16) ** 2 + (y - 12) ** 2) / 40)
    return np.repeat((100 + x + bump)[..., None], 3, axis=2).astype(np.uint8)


class Finger:
    """Publishes what a gel sees, 0.1 s later each time, in event time."""

    def __init__(self, graph, messages) -> None:
        self._graph, self._messages = graph, messages
        self._publisher = graph.connected("/tactile_left/image_raw", Image)
        self._now_ns = 10**18
        self.answers = graph.collect("/perception/material", MaterialClass)
        graph.until(lambda: graph.peer.count_publishers("/perception/material"))

    def see(self, pressed: float, times: int = 1) -> MaterialClass:
        """Show an image some times; the last answer."""
        for _ in range(times):
            self._now_ns += 10**8
            message = self._messages.image(self._now_ns)
            message.data = gel(pressed).tobytes()
            self._publisher.publish(message)
            stamp = message.header.stamp
            self._graph.until(lambda s=stamp: [m for m in self.answers if m.header.stamp == s])
        return self.answers[-1]


@pytest.fixture
def node(graph, touch_bundle: Path, tmp_path: Path):
    return graph.perception(
        inference={"bundle": str(touch_bundle), "taught": str(tmp_path / "taught")},
        streams={"tactile_left": {}},
        output={"lock_step": True},
    )


def caller(graph, kind, service: str):
    """A function that calls a service, once the service has found its client.

    Until then answers are lost, and what was asked would be done twice.
    """
    client = graph.peer.create_client(kind, f"/perception/{service}")
    graph.until(client.service_is_ready)
    graph.until(lambda: graph.nodes[-1].count_clients(f"/perception/{service}"))
    probes = []

    def answered() -> bool:
        probes.append(client.call_async(kind.Request()))
        graph.spin(0.1)
        return any(probe.done() for probe in probes)

    graph.until(answered)  # a name is missing: nothing happens

    def call(**fields):
        answer = client.call_async(kind.Request(**fields))
        graph.until(answer.done)
        return answer.result()

    return call


def test_a_material_is_taught_known_renamed_and_forgotten(graph, messages, node) -> None:
    found = graph.collect("/perception/model_info", ModelInfo, qos.latched())
    finger, codes = Finger(graph, messages), TeachMaterial.Response
    teach = caller(graph, TeachMaterial, "teach_material")
    graph.until(lambda: found)

    before = finger.see(0.0, 10)
    answer = teach(name="cork")
    assert answer.error_code == codes.NO_CONTACT
    assert "nothing touches it" in answer.message
    for depth in (0.5, 0.7):
        finger.see(depth, 2)
        finger.see(0.0, 5)
    assert teach(name="cork", touches=5).error_code == codes.TOO_FEW
    assert teach(name="wood", touches=2).error_code == codes.BAD_NAME
    answer = teach(name="Pantoffelholz 軟木", touches=2)
    assert (answer.error_code, answer.touches) == (codes.OK, 2), answer.message
    assert "is known from 2 touches" in answer.message

    graph.until(lambda: list(found[-1].heads[0].labels) == [*KNOWN, "Pantoffelholz 軟木"])
    after = finger.see(0.6, 2)
    assert (len(before.probabilities), len(after.probabilities)) == (3, 4)
    assert after.label == found[-1].heads[0].labels[after.class_id] == "Pantoffelholz 軟木"
    answer = teach(name="amber")
    assert answer.error_code == codes.LIKE_ANOTHER
    assert teach(name="amber", force=True).error_code == codes.OK

    assert node.trigger_deactivate() == node.trigger_cleanup() == spin.SUCCESS
    assert node.trigger_configure() == spin.SUCCESS  # from the file
    listed = caller(graph, ListMaterials, "list_materials")()
    assert list(listed.names) == ["Pantoffelholz 軟木", "amber"]
    assert list(listed.touches) == [2, 1]

    rename = caller(graph, RenameMaterial, "rename_material")
    forget = caller(graph, ForgetMaterial, "forget_material")
    assert not rename(name="Pantoffelholz 軟木", new_name="cork").error_code
    graph.until(lambda: list(found[-1].heads[0].labels) == [*KNOWN, "cork", "amber"])
    for name in ("cork", "amber"):
        assert not forget(name=name).error_code
    graph.until(lambda: list(found[-1].heads[0].labels) == KNOWN)
    assert forget(name="cork").error_code == ForgetMaterial.Response.UNKNOWN


def test_without_a_file_nothing_is_taught(graph) -> None:
    graph.perception()
    answer = caller(graph, TeachMaterial, "teach_material")(name="cork")
    assert answer.error_code == TeachMaterial.Response.NOT_POSSIBLE
    assert "inference.taught: is not set" in answer.message


def test_a_file_of_another_bundle_fails_configure(graph, touch_bundle, tmp_path, capfd) -> None:
    from xmodal_ros.runtime.taught import Material, TaughtFile

    file = TaughtFile(tmp_path / "taught", "other", "ab" * 32, 32)
    file.write([Material("cork", np.zeros((1, 32), np.float32))])
    node = graph.perception(
        start=False, inference={"bundle": str(touch_bundle), "taught": str(file.path)}
    )
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert "was taught to bundle 'other'" in capfd.readouterr().err


def test_live_answers_are_those_of_the_evaluation(
    touch_bundle: Path, touching_recording: Path, tmp_path: Path
) -> None:
    inference = {"bundle": str(touch_bundle), "taught": str(tmp_path / "taught")}
    settings = Settings.from_mapping(
        {"inference": {**inference, "backend": "torch"}, "output": {"lock_step": True}}
    )
    adapt(touching_recording, settings, "cork")
    evaluate(touching_recording, tmp_path / "out", settings)
    with Recording(tmp_path / "out" / "predictions") as source:
        expected = [m for _, _, _, m in source.messages(["/perception/material"])]

    found: list[Prediction] = []
    model = Model(settings)
    pipeline = Pipeline(
        model.settings,
        model.windows,
        model.teachable,
        lambda observation, prediction, sync_ns: found.append(prediction),
        pytest.fail,
        lambda stream, error: pytest.fail(str(error)),
    )
    streams = {"/camera/image_raw": "camera", "/tactile_left/image_raw": "tactile_left"}
    with Recording(touching_recording) as source:
        for topic, _, _, message in source.messages(list(streams)):
            pipeline.push(streams[topic], message, 0)
    pipeline.flush()
    model.close()

    assert len(found) == len(expected) > 50
    assert any(p.heads["material"].label == "cork" for p in found)
    for live, offline in zip(found, expected, strict=True):
        head = live.heads["material"]
        np.testing.assert_array_equal(head.probabilities, offline.probabilities)
        assert head.label == offline.label
