"""Points in images, against OpenCV."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud import View, read_clouds
from xmodal_ros.data.point_cloud.calibration import inverse
from xmodal_ros.data.point_cloud.projection import project, seen

DISTORTIONS = [
    (),
    (-0.12, 0.16, 0.0007, 0.0014),
    (-0.3, 0.1, 0.001, -0.002, -0.01),
    (0.2, -0.1, 0.001, 0.001, 0.02, 0.1, -0.05, 0.01),
]


def by_opencv(points: np.ndarray, view: View) -> np.ndarray:
    """Pixels `(N, 2)` of all points, wherever they are."""
    turn, _ = cv2.Rodrigues(view.from_lidar[:3, :3])
    camera = view.camera
    distortion = camera.distortion if len(camera.distortion) else None
    xyz = points[:, None, :3].astype(np.float64)
    shift = view.from_lidar[:3, 3]
    return cv2.projectPoints(xyz, turn, shift, camera.matrix, distortion)[0][:, 0]


def with_camera(view: View, **changes) -> View:
    return replace(view, camera=replace(view.camera, **changes))


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_pixels_are_those_of_opencv(view, around, distortion) -> None:
    points, view = around(5000), with_camera(view, distortion=np.array(distortion))
    pixels = project(points, view)
    assert 200 < pixels.inside.sum() < 2500
    expected = by_opencv(points, view)[pixels.inside]
    np.testing.assert_allclose(pixels.uv[pixels.inside], expected, atol=1e-6)
    assert (pixels.cells >= 0).all()
    assert (pixels.cells < (view.camera.width, view.camera.height)).all()


def test_real_pairs_agree_with_opencv(shared_data) -> None:
    pytest.importorskip("pypcd4")
    data = read_clouds(shared_data / "lidar_camera")
    views = [(sweep, view) for sweep in data.part("test") for view in sweep.views]
    assert len(views) >= 2
    for sweep, view in views:
        points = data.load(sweep).points
        pixels = seen(points, view)
        assert pixels.inside.sum() > 10_000
        off = np.abs(pixels.uv - by_opencv(points, view))[pixels.inside]
        assert off.max() < 0.01


def test_points_behind_the_camera_do_not_wrap(view, around) -> None:
    points = around(2000)
    behind = points @ np.diag((-1, -1, -1, 1)).astype(np.float32)
    pixels, mirrored = project(points, view), project(behind, view)
    assert pixels.inside.any()
    assert (pixels.depth[pixels.inside] >= view.nearest_m).all()
    assert not (pixels.inside & mirrored.inside).any()
    assert np.isnan(pixels.uv[pixels.depth <= 0]).all()


def test_points_far_to_the_side_do_not_wrap_by_the_distortion(view) -> None:
    view = with_camera(view, distortion=np.array((-0.3, 0.0, 0.0, 0.0)))
    aside = np.array([[1.0, 1.8, 0, 0], [1.0, 0, 0, 0]], np.float32)  # the first at 61 degrees
    view = view.with_pose(np.vstack([view.from_lidar[:, :3].T, (0, 0, 0, 1.0)]).T)
    expected = by_opencv(aside, view)
    assert 0 < expected[0, 0] < view.camera.width  # what the polynomial says
    assert project(aside, view).inside.tolist() == [False, True]


def test_the_edge_of_the_image(view) -> None:
    view = with_camera(view, distortion=np.zeros(0))
    view = view.with_pose(np.eye(4))
    width, height = view.camera.width, view.camera.height
    uv = np.array([(-0.5, 0), (-0.51, 0), (width - 0.51, 0), (width - 0.49, 0),
                   (0, height - 0.51), (0, height - 0.49)])  # fmt: skip
    focal, centre = np.diag(view.camera.matrix)[:2], view.camera.matrix[:2, 2]
    points = np.hstack([2 * (uv - centre) / focal, np.full((6, 1), 2.0)])  # in float64: exact
    pixels = project(points, view)
    assert pixels.inside.tolist() == [True, False, True, False, True, False]
    assert pixels.cells.tolist() == [[0, 0], [width - 1, 0], [0, height - 1]]


def test_points_where_no_light_came_back_are_not_seen(view) -> None:
    behind = view.with_pose(view.from_lidar.copy())
    behind.from_lidar[:3, 3] = (0, 0, 5)  # the LiDAR is 5 m before the camera, in its image
    points = np.array([[0, 0, 0, 0], [0.01, 0, 0, 0]], np.float32)
    assert project(points, behind).inside.tolist() == [False, True]


def test_no_points(view) -> None:
    pixels = project(np.zeros((0, 4), np.float32), view)
    assert pixels.uv.shape == (0, 2)
    assert not pixels.inside.any()


def test_a_calibration_that_projects_nothing_says_so(view) -> None:
    ahead = np.array([[5.0, 0, 0, 0], [6.0, 0.2, 0, 0], [1.0, 9, 0, 0]], np.float32)
    assert seen(ahead, view).inside.tolist() == [True, True, False]
    turned = view.with_pose(inverse(view.from_lidar))
    with pytest.raises(DataError) as caught:
        seen(ahead, turned)
    assert str(caught.value) == (
        "made: of 3 points none is in the image of front: 3 are behind it or nearer than 0.5 m, 0 "
        "beside it; by the inverse transform 2 are in it; expected the transform from the LiDAR "
        "to the camera (z forward, x right, y down)"
    )
