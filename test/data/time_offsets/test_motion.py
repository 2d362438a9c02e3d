"""What moves in scans: only what is before the background, by its distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.core.settings import Settings
from xmodal_ros.data.fields import cloud_fields, image_fields
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.time_offsets.motion import read_motion

NOISE_M = 0.02
DISTANCE = 9
"""Column of the mean change of distance."""


def record(path: Path, distances_m: list[float]) -> np.ndarray:
    """What moves in scans of a wall at 3 m, with a thing of 200 points before it where not 0."""
    rng = np.random.default_rng(0)
    up, left = np.meshgrid(np.radians(np.linspace(-20, 20, 32)), np.radians(np.arange(360) - 180))
    ways = np.stack([np.cos(up) * np.cos(left), np.cos(up) * np.sin(left), np.sin(up)], axis=-1)
    with RecordingWriter(path) as writer:
        for number, distance in enumerate(distances_m):
            ranges = np.full(up.shape, 3.0)
            if distance:
                ranges[170:190, 10:20] = distance
            ranges += rng.normal(0, NOISE_M, ranges.shape)
            points = np.zeros((ranges.size, 4), np.float32)
            points[:, :3] = (ways * ranges[..., None]).reshape(-1, 3)
            stamp = 10**9 * (1 + number)
            cloud = cloud_fields(stamp, "lidar", points)
            writer.write("/lidar/points", "sensor_msgs/msg/PointCloud2", stamp, cloud)
            image = image_fields(stamp, "gel", np.zeros((8, 8, 3), np.uint8))
            writer.write("/tactile_left/image_raw", "sensor_msgs/msg/Image", stamp, image)
    return read_motion(path, Settings())["lidar"].values


def test_a_thing_before_the_background_is_seen_to_go_away(tmp_path) -> None:
    places_m = [0.0, 1.0, 1.01, 1.04, 1.01]
    values = record(tmp_path / "r", places_m)
    # The noise of 200 points' mean, twice, and what a float16 rounds.
    assert values[2:, DISTANCE] == pytest.approx(np.diff(places_m)[1:], abs=0.005)


def test_a_background_does_not_move(tmp_path) -> None:
    assert not record(tmp_path / "r", [0.0] * 4).any()
