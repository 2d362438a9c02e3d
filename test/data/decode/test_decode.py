"""The table of decoders: what fits what, and the sample that comes out."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.types import Modality
from xmodal_ros.data.decode import DECODERS, decode
from xmodal_ros.data.fields import image_fields, imu_fields

STAMP_NS = 1_700_000_000_123_456_789


@pytest.mark.parametrize("modality", [Modality.CAMERA, "tactile"])
def test_a_sample_has_stamp_frame_and_data(build, modality) -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    message = build("sensor_msgs/msg/Image", image_fields(STAMP_NS, "gel", image))
    sample = decode(message, "sensor_msgs/msg/Image", modality)
    assert (sample.stamp_ns, sample.frame_id) == (STAMP_NS, "gel")
    np.testing.assert_array_equal(sample.data, image)


@pytest.mark.parametrize(
    ("type_name", "modality", "expected"),
    [
        ("sensor_msgs/msg/Imu", "camera", "sensor_msgs/msg/Image or sensor_msgs/msg/Compressed"),
        ("sensor_msgs/msg/Image", "lidar", "sensor_msgs/msg/PointCloud2"),
        ("sensor_msgs/msg/PointCloud2", "imu", "sensor_msgs/msg/Imu"),
        ("nav_msgs/msg/Odometry", "imu", "sensor_msgs/msg/Imu"),
    ],
)
def test_a_type_that_does_not_fit_is_refused(type_name, modality, expected) -> None:
    text = f"/t: {type_name} cannot be read as {modality}; expected {expected}"
    with pytest.raises(DataError, match=text):
        decode(object(), type_name, modality, "/t")


def test_a_message_of_another_type_is_refused(build) -> None:
    message = build("sensor_msgs/msg/Imu", imu_fields(0, "i", np.zeros(6)))
    text = "/t: a .*Imu without 'encoding'; expected sensor_msgs/msg/Image"
    with pytest.raises(DataError, match=text):
        decode(message, "sensor_msgs/msg/Image", "camera", "/t")


def test_every_modality_has_a_decoder() -> None:
    assert {m for modalities, _ in DECODERS.values() for m in modalities} == set(Modality)


def test_an_error_without_a_topic_names_the_type(rosbags_message) -> None:
    message = rosbags_message("sensor_msgs/msg/Image", {"encoding": "rgb8"})
    with pytest.raises(DataError, match=r"^sensor_msgs/msg/Image: an image of zero size"):
        decode(message, "sensor_msgs/msg/Image", "camera")
