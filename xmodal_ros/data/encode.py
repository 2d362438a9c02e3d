"""Predictions to the fields of `xmodal_msgs` messages, without ROS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmodal_ros.core.types import HeadPrediction, Modality, OverTime, Prediction

Fields = dict[str, Any]
EMBEDDING_TYPE = "xmodal_msgs/msg/Embedding"
POINTS = "points"
"""Task that is answered by a cloud, whose fields are those of `fields.labelled_cloud_fields`."""
_BILLION = 1_000_000_000


def encode(prediction: Prediction, sync_ns: int = 0) -> dict[str, tuple[str, Fields]]:
    """The message of each head: its type and fields, by the head's name.

    Args:
        prediction: The prediction.
        sync_ns: Time from the anchor message's arrival to the complete set; 0 offline.
    """
    messages = {}
    for name, head in prediction.heads.items():
        type_name, answer = _ANSWERS[head.task]
        fields = {
            "header": _header(prediction),
            "info": _info(prediction, head, sync_ns),
            **answer(head),
        }
        messages[name] = (type_name, fields)
    return messages


def message_type(task: str) -> str:
    """Type of the message that answers a task."""
    return _ANSWERS[task][0]


def encode_embedding(prediction: Prediction, stream: str, modality: Modality) -> Fields:
    """Fields of the `Embedding` of one stream."""
    return {
        "header": _header(prediction),
        "stream": stream,
        "modality": modality.bit,
        "vector": prediction.embeddings[stream],
        "model_id": prediction.model_id,
    }


def seconds(time_ns: int) -> Fields:
    """Fields of a `Time` or `Duration`; a negative one has negative seconds, a positive rest."""
    return {"sec": time_ns // _BILLION, "nanosec": time_ns % _BILLION}


def _header(prediction: Prediction) -> Fields:
    return {"stamp": seconds(prediction.stamp_ns), "frame_id": prediction.frame_id}


def _info(prediction: Prediction, head: HeadPrediction, sync_ns: int) -> Fields:
    return {
        "modalities_used": head.used,
        "modalities_expected": head.expected,
        "streams": list(prediction.age_ns),
        "stream_ages": [seconds(age_ns) for age_ns in prediction.age_ns.values()],
        "stream_ood_scores": np.array(
            [prediction.ood.get(stream, np.nan) for stream in prediction.age_ns], np.float32
        ),
        "model_id": prediction.model_id,
        "weights_hash": prediction.weights_hash,
        "latency_sync": seconds(sync_ns),
        "latency_preprocess": seconds(prediction.preprocess_ns),
        "latency_inference": seconds(prediction.inference_ns),
        "entropy": head.entropy,
        "abstained": head.abstained,
        "ood_score": head.ood_score,
    }


def _classes(head: HeadPrediction) -> Fields:
    return {
        "class_id": head.class_id,
        "label": head.label,
        "confidence": head.confidence,
        "probabilities": head.probabilities,
    }


def _activity(head: HeadPrediction) -> Fields:
    over_time = head.over_time or OverTime(head.probabilities, 0, "")
    return {
        **_classes(head),
        "raw_probabilities": over_time.raw,
        "since": seconds(over_time.since_ns),
        "previous_label": over_time.previous,
    }


def _grasp(head: HeadPrediction) -> Fields:
    probability = float(head.probabilities[1])
    return {
        "probability": probability,
        "success": probability >= head.threshold,
        "threshold": head.threshold,
    }


_ANSWERS: dict[str, tuple[str, Callable[[HeadPrediction], Fields]]] = {
    "material": ("xmodal_msgs/msg/MaterialClass", _classes),
    "activity": ("xmodal_msgs/msg/Activity", _activity),
    "grasp": ("xmodal_msgs/msg/GraspSuccess", _grasp),
}
"""Message type and its own fields, by a head's task."""
