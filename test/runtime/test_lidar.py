"""A bundle that reads a LiDAR: scans to predictions, and scans without points."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.probabilities import softmax
from xmodal_ros.core.range_image import RangeView, to_range_image
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.core.windows import Nearest
from xmodal_ros.nn.focus import image_streams
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(lidar_bundle):
    settings = InferenceSettings(backend="torch", device="cpu", precision="fp32", threads=1)
    with Predictor(Bundle.load(lidar_bundle), settings) as made:
        made.warm_up(1)
        yield made


def scan(count=2000):
    points = np.random.default_rng(0).normal(0, 2, (count, 4)).astype(np.float32)
    points[:, 2] -= 3
    return points


def observation(predictor, points):
    given = predictor.blank_observation()
    lidar = StreamData(Modality.LIDAR, points, (0,), 0)
    return dataclasses.replace(given, streams={**given.streams, "lidar": lidar})


def test_says_how_a_scan_is_read(predictor):
    spec = predictor.inputs["lidar"]
    assert (spec.modality, spec.window) == (Modality.LIDAR, Nearest())
    assert spec.view == RangeView(16, 64, -60.0, -10.0, 360.0, 0.05, 20.0)


def test_predicts_what_the_network_says_of_the_range_image(predictor):
    seen = observation(predictor, scan())
    found = predictor.predict(seen)
    image = to_range_image(scan(), predictor.inputs["lidar"].view).image
    batch = {"lidar": image, "imu": seen.streams["imu"].data}
    with torch.no_grad():
        output = predictor.bundle.network()(
            {name: torch.from_numpy(x)[None] for name, x in batch.items()}
        )
    expected = softmax(output.logits["activity"][0].numpy())
    np.testing.assert_allclose(found.heads["activity"].probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(found.embeddings["lidar"], output.embeddings["lidar"][0], atol=1e-5)
    assert found.heads["activity"].used == Modality.LIDAR.bit | Modality.IMU.bit


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((0, 4)),
        np.zeros((9, 4)),
        np.full((9, 4), np.nan),
        [[90, 0, -90, 1]],
        [[1, 0, 1, 1]],
    ],
    ids=["empty", "origin", "nan", "too far", "above the rows"],
)
def test_a_scan_without_points_is_as_absent_as_none(predictor, points):
    seen = observation(predictor, np.asarray(points, np.float32))
    found = predictor.predict(seen)
    without = Observation(0, "", "imu", {"imu": seen.streams["imu"]})
    expected = predictor.predict(without)
    assert "lidar" not in found.embeddings
    assert found.heads["activity"].used == Modality.IMU.bit
    np.testing.assert_array_equal(
        found.heads["activity"].probabilities, expected.heads["activity"].probabilities
    )


def test_the_blank_observation_has_a_scan_with_a_point(predictor):
    assert "lidar" in predictor.predict(predictor.blank_observation()).embeddings


@pytest.mark.parametrize("points", [np.zeros((5, 3), np.float32), np.zeros((5, 4)), np.zeros(4)])
def test_refuses_other_arrays(predictor, points):
    with pytest.raises(
        DataError, match=r"^LiDAR scan: got an array .*; expected \(N, 4\) float32$"
    ):
        predictor.predict(observation(predictor, points))


def test_a_range_image_is_no_image_to_draw_on(predictor):
    assert image_streams(predictor.bundle.spec) == {}
