"""Poses and cameras: what is refused, with the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud.calibration import Camera, inverse, posed, rigid

MATRIX = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])


def test_a_transform_that_is_one() -> None:
    turn = Rotation.from_rotvec((0.1, -0.2, 0.3)).as_matrix()
    made = rigid(np.hstack([turn, [[1.0], [2.0], [3.0]]]), "calib.txt")
    assert made.shape == (4, 4)
    np.testing.assert_array_equal(made[:3, :3], turn)
    np.testing.assert_allclose(inverse(made) @ made, np.eye(4), atol=1e-12)


def test_what_is_no_rotation_is_refused_with_the_numbers() -> None:
    with pytest.raises(DataError) as caught:
        rigid(np.hstack([1.1 * np.eye(3), np.zeros((3, 1))]), "calib.txt")
    assert str(caught.value) == (
        "calib.txt: [1.1, 0.0, 0.0], [0.0, 1.1, 0.0], [0.0, 0.0, 1.1] is no rotation: R R^T is up "
        "to 0.21 from the identity, det R is 1.331; expected at most 0.001, and 1. Check the "
        "order of the numbers, and that no axis is mirrored."
    )


def test_a_mirror_is_refused() -> None:
    with pytest.raises(DataError, match="det R is -1"):
        rigid(np.diag((1.0, 1, -1, 1)), "calib.txt")


@pytest.mark.parametrize("matrix", [np.eye(3), np.full((3, 4), np.nan)])
def test_what_is_no_transform_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"expected \(3, 4\) finite numbers"):
        rigid(matrix, "calib.txt")


def test_a_quaternion_is_scalar_first() -> None:
    made = posed((1, 2, 3), (np.cos(0.4), 0, 0, np.sin(0.4)), "tf")
    np.testing.assert_allclose(made[:3, :3], Rotation.from_rotvec((0, 0, 0.8)).as_matrix())
    np.testing.assert_array_equal(made[:3, 3], (1, 2, 3))


@pytest.mark.parametrize("wxyz", [(0, 0, 0, 0), (1, 1, 0, 0), (np.nan, 0, 0, 0)])
def test_a_quaternion_of_another_length_is_refused(wxyz: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="is no rotation: its length is"):
        posed((0, 0, 0), wxyz, "tf")


@pytest.mark.parametrize(
    ("matrix", "distortion", "size", "text"),
    [
        (np.zeros((3, 3)), [], (4, 4), "Calibrate the camera"),  # of a driver without calibration
        (MATRIX.T, [], (4, 4), "check the order of the numbers"),
        (MATRIX, [0.1, 0.2, 0.3], (4, 4), r"a distortion of \[0.1, 0.2, 0.3\]"),
        (MATRIX, [np.nan] * 4, (4, 4), "a distortion of"),
        (MATRIX, [], (0, 4), "a picture of 0x4"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(matrix, distortion, size, text) -> None:
    with pytest.raises(DataError, match=text):
        Camera(matrix, np.array(distortion, np.float64), *size, "camera_info")


@pytest.mark.parametrize(
    "distortion",
    [(-0.3, 0.05, 0, 0), (-0.5, 0, 0, 0), (0.1, -0.4, 0, 0, 0.1), (0.2, 0, 0, 0, 0, -0.3, 0.1, 0)],
)
def test_the_radius_is_where_the_distortion_turns_round(distortion) -> None:
    camera = Camera(MATRIX, np.array(distortion, np.float64), 4, 4, "made")
    k1, k2, _, _, k3, k4, k5, k6 = np.pad(distortion, (0, 8 - len(distortion)))
    r = np.linspace(0, 5, 500_001)
    below = 1 + k4 * r**2 + k5 * r**4 + k6 * r**6
    moved = r * (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / below
    falls = np.flatnonzero(np.diff(moved) <= 0)
    expected = r[falls[0]] if len(falls) else np.inf
    assert camera.radius == pytest.approx(expected, abs=1e-4)


def test_a_distortion_that_never_turns_round_has_no_bound() -> None:
    assert Camera(MATRIX, np.array((-0.1192, 0.162, 0.0007, 0.0014)), 4, 4, "x").radius == np.inf
