"""What the types derive from their fields."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from xmodal_ros.core.types import HeadPrediction, Modality, Observation, Sample, StreamData


def stream(modality: Modality, age_ns: int) -> StreamData:
    return StreamData(modality, np.zeros(1), (1,), age_ns)


def test_the_bits_of_the_masks_are_those_of_the_messages(repository):
    assert {m.value: m.bit for m in Modality} == {"camera": 1, "tactile": 2, "imu": 4, "lidar": 8}


def test_an_observation_sums_up_its_streams():
    streams = {
        "left": stream(Modality.TACTILE, 0),
        "right": stream(Modality.TACTILE, 5),
        "lidar": stream(Modality.LIDAR, -3),
    }
    observation = Observation(7, "finger", "left", streams, {"camera": "absent"})
    assert observation.present == ("left", "right", "lidar")
    assert observation.age_ns == {"left": 0, "right": 5, "lidar": -3}
    assert observation.modalities == Modality.TACTILE.bit | Modality.LIDAR.bit


def test_a_head_names_its_winner():
    probabilities = np.array([0.2, 0.7, 0.1], np.float32)
    head = HeadPrediction(
        "material", ("wood", "metal", "glass"), probabilities, 1, 0.8, False, 1, 3
    )
    assert head.label == "metal"
    assert head.confidence == pytest.approx(0.7)


def test_samples_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sample(1, "", np.zeros(1)).stamp_ns = 2  # type: ignore[misc]
