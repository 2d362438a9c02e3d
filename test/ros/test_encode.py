"""Predictions become messages without loss."""

import numpy as np
import pytest

from xmodal_msgs.msg import Embedding, GraspSuccess, MaterialClass
from xmodal_ros.core.types import HeadPrediction, Modality, Prediction
from xmodal_ros.data.encode import encode, encode_embedding
from xmodal_ros.ros.encode import fill

STAMP_NS = 1_700_000_000_123_456_789


def prediction() -> Prediction:
    common = {"entropy": 0.5, "abstained": True, "used": 3, "expected": 7, "ood_score": 1.5}
    material = np.array([0.1, 0.7, 0.2], np.float32)
    grasp = np.array([0.4, 0.6], np.float32)
    return Prediction(
        stamp_ns=STAMP_NS,
        frame_id="finger",
        heads={
            "material": HeadPrediction("material", ("a", "b", "c"), material, 1, **common),
            "grasp": HeadPrediction("grasp", ("no", "yes"), grasp, 1, threshold=0.7, **common),
        },
        age_ns={"camera": -1, "gel": 2_500_000_000},
        embeddings={"camera": np.linspace(-1, 1, 7, dtype=np.float32)},
        model_id="tiny",
        weights_hash="ab",
        preprocess_ns=1_000,
        inference_ns=2_000_000_001,
    )


def test_class_answer() -> None:
    _, fields = encode(prediction(), sync_ns=5)["material"]
    message = fill(MaterialClass, fields)

    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert message.header.frame_id == "finger"
    assert (message.class_id, message.label) == (1, "b")
    np.testing.assert_array_equal(
        np.asarray(message.probabilities, np.float32), np.array([0.1, 0.7, 0.2], np.float32)
    )
    info = message.info
    assert (info.modalities_used, info.modalities_expected, info.abstained) == (3, 7, True)
    assert list(info.streams) == ["camera", "gel"]
    ages = [(age.sec, age.nanosec) for age in info.stream_ages]
    assert ages == [(-1, 999_999_999), (2, 500_000_000)]
    assert info.latency_sync.nanosec == 5
    assert (info.latency_inference.sec, info.latency_inference.nanosec) == (2, 1)
    assert (info.entropy, info.ood_score) == (0.5, 1.5)


def test_grasp_answer_is_decided_by_its_threshold() -> None:
    _, fields = encode(prediction())["grasp"]
    message = fill(GraspSuccess, fields)

    assert np.float32(message.probability) == np.float32(0.6)
    assert (message.success, message.threshold) == (False, 0.7)


def test_embedding_keeps_every_bit() -> None:
    made = prediction()
    message = fill(Embedding, encode_embedding(made, "camera", Modality.CAMERA))

    assert (message.stream, message.modality) == ("camera", 1)
    assert np.asarray(message.vector, np.float32).tobytes() == made.embeddings["camera"].tobytes()


def test_a_field_that_the_message_has_not_is_refused() -> None:
    with pytest.raises(AttributeError, match="colour"):
        fill(Embedding, {"colour": 1})
