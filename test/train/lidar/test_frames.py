"""Range images with what cameras see of them."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_ros.core.range_image import OUTSIDE, to_range_image
from xmodal_ros.data.point_cloud import IGNORE, View
from xmodal_ros.data.point_cloud.calibration import Camera
from xmodal_ros.data.source import Source
from xmodal_ros.train.lidar.frames import Frames, where_seen


@pytest.fixture
def view(tmp_path):
    """A camera of 80x60 that looks along the LiDAR's x axis."""
    matrix = np.array([[50.0, 0, 40], [0, 50, 30], [0, 0, 1]])
    forward = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    camera = Camera(matrix, np.zeros(0), 80, 60, "made")
    return View("front", camera, forward, Source(tmp_path / "none.png"), 0.1)


def test_pixels_are_those_of_the_resized_image(view):
    points = np.array([[10.0, 2, 1, 0], [10, 0, 0, 0], [-10, 0, 0, 0], [10, 9, 0, 0]], np.float32)
    found = where_seen(points, view, (30, 40))
    # At 80x60 the first is at (30, 25), the second at (40, 30); pixel centres are whole numbers.
    np.testing.assert_allclose(found[:2], [[14.75, 12.25], [19.75, 14.75]], atol=1e-5)
    assert np.isnan(found[2:]).all()


def test_points_behind_others_are_not_seen(view):
    points = np.array([[4.0, 0, 0, 0], [8, 0.3, 0, 0], [8, 4, 0, 0], [4.3, 0, 0.3, 0]], np.float32)
    seen = ~np.isnan(where_seen(points, view, (60, 80))[:, 0])
    assert seen.tolist() == [True, False, True, True]


def test_what_is_seen_stays_inside_the_image(view):
    rng = np.random.default_rng(0)
    points = np.hstack([np.full((5000, 1), 5.0), rng.uniform(-5, 5, (5000, 3))])
    found = where_seen(points.astype(np.float32), view, (30, 40))
    found = found[~np.isnan(found[:, 0])]
    cells = np.floor(found + 0.5)
    assert cells.min(0).tolist() == [0, 0]
    assert cells.max(0).tolist() == [39, 29]


def test_labels_follow_the_nearest_point(drive, settings, cache):
    frames, sweep = Frames(cache, settings.lidar.view, (32, 32)), drive.part("test")[0]
    frame, scan = frames.frame(drive, sweep), drive.load(sweep)
    np.testing.assert_array_equal(frame.truth, scan.labels)
    made = to_range_image(scan.points, settings.lidar.view)
    there = made.nearest != OUTSIDE
    np.testing.assert_array_equal(frame.labels[there], scan.labels[made.nearest[there]])
    assert (frame.labels[~there] == IGNORE).all()


def test_what_was_made_is_read_back(drive, settings, tmp_path):
    sweep = drive.part("test")[0]
    made = Frames(tmp_path, settings.lidar.view, (32, 32))
    first = made.seen(drive, sweep, sweep.views[0])
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = Frames(tmp_path, settings.lidar.view, (32, 32)).seen(drive, sweep, sweep.views[0])
    np.testing.assert_array_equal(again.uv, first.uv)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
