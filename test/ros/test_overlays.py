"""Pictures of what the heads look at, as a viewer in the graph gets them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sensor_msgs.msg import Image

from xmodal_msgs.msg import GraspSuccess
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.data.decode import decode_image, stamp_ns
from xmodal_ros.ros import overlays
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.focus import Focus
from xmodal_ros.runtime.predictor import Predictor

CAMERA, FINGER = "/camera/image_raw", "/tactile_left/image_raw"
START_NS, STEP_NS = 1_700_000_000_000_000_000, 40_000_000
MATERIAL = "/perception/focus/material/camera"


def topics(graph) -> set[str]:
    return {name for name, _ in graph.peer.get_topic_names_and_types() if "/focus/" in name}


def test_there_is_a_topic_for_each_stream_that_a_head_looks_at(graph) -> None:
    graph.perception(start=False).trigger_configure()
    fingers = {f"/perception/focus/grasp/tactile_{side}" for side in ("left", "right")}
    graph.until(lambda: topics(graph) == {MATERIAL, *fingers})  # not activity, which reads an IMU


def test_in_lock_step_each_prediction_has_its_picture(graph, messages) -> None:
    graph.perception(output={"lock_step": True}, streams={"camera": {}})
    seen = graph.collect(MATERIAL, Image)
    graph.until(lambda: graph.peer.count_publishers(MATERIAL))
    eye = graph.connected(CAMERA, Image)
    sent: dict[int, Image] = {}

    def look() -> bool:
        stamp = START_NS + len(sent) * STEP_NS
        sent[stamp] = messages.image(stamp)
        eye.publish(sent[stamp])
        return len(seen) > 2

    graph.until(look)
    stamps = [stamp_ns(picture.header.stamp) for picture in seen]
    assert np.diff(stamps).tolist() == [STEP_NS] * (len(seen) - 1)
    assert {picture.header.frame_id for picture in seen} == {"finger"}
    assert {m.encoding for m in seen} == {"rgb8"}
    with Predictor(Bundle.load(graph.bundle)) as predictor:
        focus = Focus(predictor)
        for picture, stamp in zip(seen, stamps, strict=True):
            image = decode_image(sent[stamp], "sent")
            data = StreamData(Modality.CAMERA, image, (stamp,), 0)
            observation = Observation(stamp, "finger", "camera", {"camera": data})
            predictor.predict(observation)
            drawn = focus.overlays("material", ["camera"], observation, predictor.encoded)
            difference = decode_image(picture, "seen").astype(int) - drawn["camera"]
            assert np.abs(difference).max() <= 1  # another backend
            assert not np.array_equal(drawn["camera"], image)


@pytest.fixture
def drawings(monkeypatch) -> list[str]:
    """Heads that were drawn, and the thread that did it."""
    made: list[str] = []
    draw = overlays.Focus.overlays

    def noted(self, head, *others):
        made.append(f"{head} in {threading.current_thread().name}")
        return draw(self, head, *others)

    monkeypatch.setattr(overlays.Focus, "overlays", noted)
    return made


def test_nothing_is_drawn_until_somebody_listens_and_then_in_its_own_thread(
    graph, messages, drawings
) -> None:
    node = graph.perception()
    answers = graph.collect("/perception/grasp", GraspSuccess)
    finger = graph.connected(FINGER, Image)

    def touch() -> None:
        finger.publish(messages.image(node.get_clock().now().nanoseconds))

    graph.until(lambda: touch() or len(answers) > 3)
    assert not drawings

    seen = graph.collect("/perception/focus/grasp/tactile_left", Image)
    graph.until(lambda: touch() or seen)
    assert set(drawings) == {"grasp in picture of the attention"}
    stamps = [a.header.stamp for a in answers]
    assert all(picture.header.stamp in stamps for picture in seen)
    assert (seen[0].height, seen[0].width) == (24, 32)


def test_a_picture_that_fails_is_told_and_the_predictions_go_on(
    graph, messages, monkeypatch, capfd
) -> None:
    def fail(*_):
        raise MemoryError("no room to draw")

    monkeypatch.setattr(overlays.Focus, "overlays", fail)
    node = graph.perception()
    answers = graph.collect("/perception/grasp", GraspSuccess)
    graph.collect("/perception/focus/grasp/tactile_left", Image)
    finger = graph.connected(FINGER, Image)
    told = ""

    def failed() -> bool:
        nonlocal told
        finger.publish(messages.image(node.get_clock().now().nanoseconds))
        told += capfd.readouterr().err
        return "no picture of the attention" in told and "no room to draw" in told

    graph.until(failed)
    before = len(answers)
    graph.until(lambda: failed() and len(answers) > before + 2)
