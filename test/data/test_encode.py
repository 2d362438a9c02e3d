"""Predictions as messages, through a recording and back."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from xmodal_ros.core.types import HeadPrediction, Modality, OverTime, Prediction
from xmodal_ros.data.encode import EMBEDDING_TYPE, encode, encode_embedding, message_type
from xmodal_ros.data.recording import Recording, RecordingWriter

STAMP_NS = 1_700_000_000_123_456_789
SINCE_NS = STAMP_NS - 1_500_000_000


def head(task: str, labels: tuple[str, ...], probabilities: list[float], **more) -> HeadPrediction:
    values = np.array(probabilities, np.float32)
    return HeadPrediction(
        task=task,
        labels=labels,
        probabilities=values,
        class_id=int(values.argmax()),
        entropy=0.5,
        abstained=False,
        used=2,
        expected=3,
        **more,
    )


@pytest.fixture
def prediction() -> Prediction:
    return Prediction(
        stamp_ns=STAMP_NS,
        frame_id="gel_left",
        heads={
            "grasp": head("grasp", ("fail", "success"), [0.375, 0.625], threshold=0.7),
            "surface": head("material", ("Metal", "Wood"), [0.75, 0.25], ood_score=1.5),
            "activity": head(
                "activity",
                ("SEATED", "WALKING"),
                [0.0, 1.0],
                over_time=OverTime(np.array([0.25, 0.75], np.float32), SINCE_NS, "SEATED"),
            ),
        },
        age_ns={"tactile_left": 0, "imu": -3_000_000, "camera": 1_500_000_000},
        embeddings={"camera": np.array([0.6, 0.8], np.float32)},
        model_id="first",
        weights_hash="abc",
        preprocess_ns=1_000,
        inference_ns=2_000_000_123,
        ood={"camera": 2.5, "tactile_left": 0.25},
    )


@pytest.fixture
def written(tmp_path, prediction):
    """The messages, read back by head."""
    with RecordingWriter(tmp_path / "r") as writer:
        for name, (kind, fields) in encode(prediction, sync_ns=7).items():
            writer.write(f"/{name}", kind, STAMP_NS, fields)
        fields = encode_embedding(prediction, "camera", Modality.CAMERA)
        writer.write("/embedding", EMBEDDING_TYPE, STAMP_NS, fields)
    with Recording(tmp_path / "r") as recording:
        return {m.topic: m for m in recording.messages()}


def test_every_head_has_the_message_of_its_task(written) -> None:
    types = {topic: message.type.rpartition("/")[2] for topic, message in written.items()}
    assert types == {
        "/grasp": "GraspSuccess",
        "/surface": "MaterialClass",
        "/activity": "Activity",
        "/embedding": "Embedding",
    }
    assert message_type("grasp") == written["/grasp"].type


def test_an_activity_says_what_it_was_before_and_since_when_it_is(written) -> None:
    message = written["/activity"].message
    assert message.probabilities.tolist() == [0.0, 1.0]
    assert message.raw_probabilities.tolist() == [0.25, 0.75]
    assert message.since.sec * 10**9 + message.since.nanosec == SINCE_NS
    assert message.previous_label == "SEATED"


def test_an_activity_that_was_not_followed_has_its_own_probabilities(prediction) -> None:
    heads = {"activity": dataclasses.replace(prediction.heads["activity"], over_time=None)}
    _, fields = encode(dataclasses.replace(prediction, heads=heads))["activity"]
    assert fields["raw_probabilities"].tolist() == [0.0, 1.0]
    assert (fields["since"], fields["previous_label"]) == ({"sec": 0, "nanosec": 0}, "")


def test_stamp_and_frame_are_the_anchors(written) -> None:
    for message in (m.message for m in written.values()):
        stamp = message.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == STAMP_NS
        assert message.header.frame_id == "gel_left"


def test_info(written) -> None:
    info = written["/surface"].message.info
    assert (info.modalities_used, info.modalities_expected) == (2, 3)
    assert info.streams == ["tactile_left", "imu", "camera"]
    ages = [age.sec * 10**9 + age.nanosec for age in info.stream_ages]
    assert ages == [0, -3_000_000, 1_500_000_000]
    np.testing.assert_array_equal(
        info.stream_ood_scores, np.array([0.25, np.nan, 2.5], np.float32)
    )
    assert all(0 <= age.nanosec < 10**9 for age in info.stream_ages)
    assert (info.model_id, info.weights_hash) == ("first", "abc")
    assert (info.latency_sync.sec, info.latency_sync.nanosec) == (0, 7)
    assert info.latency_preprocess.nanosec == 1_000
    assert (info.latency_inference.sec, info.latency_inference.nanosec) == (2, 123)
    assert (info.entropy, info.abstained, info.ood_score) == (0.5, False, 1.5)
    assert math.isnan(written["/grasp"].message.info.ood_score)


def test_classes(written) -> None:
    message = written["/surface"].message
    assert (message.class_id, message.label, message.confidence) == (0, "Metal", 0.75)
    np.testing.assert_array_equal(message.probabilities, np.array([0.75, 0.25], np.float32))


def test_grasp_is_a_success_from_its_threshold_on(written) -> None:
    message = written["/grasp"].message
    assert (message.probability, message.success) == (0.625, False)
    assert message.threshold == np.float32(0.7)


def test_embedding(written) -> None:
    message = written["/embedding"].message
    assert (message.stream, message.modality, message.model_id) == ("camera", 1, "first")
    np.testing.assert_array_equal(message.vector, np.array([0.6, 0.8], np.float32))


def test_every_field_is_filled(prediction) -> None:
    """A field that is added to a message must be added to `encode`."""
    from xmodal_ros.data.typestore import default_typestore

    definitions = default_typestore().fielddefs
    for kind, fields in encode(prediction).values():
        assert set(fields) == {name for name, _ in definitions[kind][1]}
        info = {name for name, _ in definitions["xmodal_msgs/msg/PredictionInfo"][1]}
        assert set(fields["info"]) == info
    fields = encode_embedding(prediction, "camera", Modality.CAMERA)
    assert set(fields) == {name for name, _ in definitions[EMBEDDING_TYPE][1]}
