"""Where sensors are and how cameras see: poses and intrinsics, refused where they cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from xmodal_ros.core.errors import DataError

OFF_ROTATION = 1e-3
"""Largest difference of R R^T from the identity that rounding explains; a milliradian."""
DISTORTIONS = (0, 4, 5, 8)
"""Numbers of coefficients that are known: none, k1 k2 p1 p2, k3, and k4 k5 k6 (OpenCV's order)."""


def rigid(matrix: np.ndarray, where: str) -> np.ndarray:
    """A transform `(4, 4) float64` of `(3, 4)` or `(4, 4)`, used as it is given.

    Args:
        matrix: Rotation and translation in metres.
        where: The file, for the text of an error.

    Raises:
        DataError: it has another shape, is not finite, or its left part is no rotation.
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.shape not in ((3, 4), (4, 4)) or not np.isfinite(matrix).all():
        raise DataError(
            f"a transform {matrix.shape} of {matrix.ravel()[:12].tolist()}",
            where=where,
            expected="(3, 4) finite numbers",
        )
    rotation = matrix[:3, :3]
    off = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    determinant = float(np.linalg.det(rotation))
    if off > OFF_ROTATION or determinant < 0:
        rows = ", ".join(str([round(float(v), 4) for v in row]) for row in rotation)
        raise DataError(
            f"{rows} is no rotation: R R^T is up to {off:.3g} from the identity, det R is "
            f"{determinant:.4g}",
            where=where,
            expected=f"at most {OFF_ROTATION:g}, and 1",
            do="Check the order of the numbers, and that no axis is mirrored.",
        )
    return np.vstack([matrix[:3], (0.0, 0.0, 0.0, 1.0)])


def posed(translation: Sequence[float], wxyz: Sequence[float], where: str) -> np.ndarray:
    """A transform `(4, 4) float64` of a position in metres and a quaternion (w, x, y, z).

    Raises:
        DataError: there are other than 3 and 4 numbers, or the quaternion has not length 1.
    """
    if len(translation) != 3 or len(wxyz) != 4:
        raise DataError(
            f"a pose of {len(translation)} and {len(wxyz)} numbers",
            where=where,
            expected="3 of a position and 4 of a quaternion",
        )
    w, x, y, z = wxyz
    length = float(np.linalg.norm(wxyz))
    if not abs(length - 1) <= OFF_ROTATION:
        raise DataError(
            f"the quaternion {list(wxyz)} is no rotation: its length is {length:.4g}",
            where=where,
            expected="length 1",
        )
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat((x, y, z, w)).as_matrix()
    pose[:3, 3] = translation
    return pose


def inverse(pose: np.ndarray) -> np.ndarray:
    """The transform back, `(4, 4)`, of one that may be off a rotation by rounding."""
    turned = np.eye(4)
    turned[:3, :3] = pose[:3, :3].T
    turned[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return turned


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole with OpenCV's distortion, radial (up to k6) and tangential.

    Raises:
        DataError: the matrix is none of a camera, or the distortion or size cannot be.
    """

    matrix: np.ndarray
    """`(3, 3) float64`: focal lengths and centre in pixels."""
    distortion: np.ndarray
    """`(0,)`, `(4,)`, `(5,)` or `(8,) float64`."""
    width: int
    height: int
    where: str
    """File or topic that says so."""

    def __post_init__(self) -> None:
        k, d = self.matrix, self.distortion
        known = k.shape == (3, 3) and bool(np.isfinite(k).all())
        if not known or k[0, 0] <= 0 or k[1, 1] <= 0 or k[[0, 1, 2, 2], [1, 0, 0, 1]].any():
            raise DataError(
                f"the camera matrix {np.round(k, 4).tolist()}",
                where=self.where,
                expected="[[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels",
                do="Calibrate the camera, or check the order of the numbers.",
            )
        if d.shape not in [(n,) for n in DISTORTIONS] or not np.isfinite(d).all():
            raise DataError(
                f"a distortion of {d.tolist()}",
                where=self.where,
                expected="k1, k2, p1, p2, then k3, then k4, k5, k6",
            )
        if self.width < 1 or self.height < 1:
            raise DataError(
                f"a picture of {self.width}x{self.height}", where=self.where, expected="a size"
            )

    @cached_property
    def radius(self) -> float:
        """Distance from the axis, at depth 1, up to which the distortion can be believed.

        Beyond it the polynomial turns round, and what is far to the side would be in the picture.
        """
        k1, k2, _, _, k3, k4, k5, k6 = np.pad(self.distortion, (0, 8 - len(self.distortion)))
        # r(1 + k1 s + ...) / (1 + k4 s + ...) with s = r^2 grows while its derivative is above 0.
        above = np.polynomial.Polynomial((1.0, k1, k2, k3))
        below = np.polynomial.Polynomial((1.0, k4, k5, k6))
        s = np.polynomial.Polynomial((0.0, 1.0))
        growth = above * below + 2 * s * (above.deriv() * below - above * below.deriv())
        roots = np.concatenate([growth.trim().roots(), below.trim().roots()])
        ends = roots.real[(abs(roots.imag) < 1e-9) & (roots.real > 0)]
        return float(np.sqrt(ends.min())) if len(ends) else float("inf")
