"""Points into images: which of a scan a camera sees, and at which pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud.calibration import Camera, inverse
from xmodal_ros.data.point_cloud.scan import View


@dataclass(frozen=True, eq=False, slots=True)
class Pixels:
    """Where the points of a scan are in one image."""

    uv: np.ndarray
    """`(N, 2) float64`: column and row, 0 at the middle of the first pixel; NaN of points that
    are not in front of the camera."""
    depth: np.ndarray
    """`(N,) float64`, metres along the camera's axis."""
    inside: np.ndarray
    """`(N,) bool`: in front of the camera, and in the image."""

    @property
    def cells(self) -> np.ndarray:
        """Column and row of the pixels that those inside are in, `(inside, 2) int64`."""
        return np.floor(self.uv[self.inside] + 0.5).astype(np.int64)


def project(points: np.ndarray, view: View) -> Pixels:
    """Project points as `cv2.projectPoints` does, in a third of its time (it derives as well).

    A point behind the camera or nearer than `view.nearest_m` is not inside, nor is one so far to
    the side that the distortion is not known there, nor a point at the LiDAR's origin, which
    drivers write where no light came back.

    Args:
        points: `(N, 3)` or more columns: x, y, z in metres in the LiDAR's frame.
        view: The camera, and where it is.
    """
    camera = view.camera
    placed = points[:, :3] @ view.from_lidar[:3, :3].T + view.from_lidar[:3, 3]
    depth = placed[:, 2]
    front = np.flatnonzero((depth >= view.nearest_m) & points[:, :3].any(axis=1))
    flat = placed[front, :2] / depth[front, None]
    near = np.square(flat).sum(axis=1) < camera.radius**2
    uv = np.full((len(points), 2), np.nan)
    uv[front[near]] = _see(flat[near], camera)
    low, high = -0.5, np.array((camera.width, camera.height)) - 0.5
    with np.errstate(invalid="ignore"):
        inside = ((uv >= low) & (uv < high)).all(axis=1)
    return Pixels(uv, depth, np.asarray(inside))


def _see(flat: np.ndarray, camera: Camera) -> np.ndarray:
    """Pixels `(N, 2)` of points at depth 1 `(N, 2)`."""
    if camera.distortion.any():
        flat = _distort(flat, camera.distortion)
    return flat * camera.matrix[[0, 1], [0, 1]] + camera.matrix[:2, 2]


def _distort(flat: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    k1, k2, p1, p2, k3, k4, k5, k6 = np.pad(distortion, (0, 8 - len(distortion)))
    x, y = flat.T
    s = x * x + y * y
    radial = (1 + s * (k1 + s * (k2 + s * k3))) / (1 + s * (k4 + s * (k5 + s * k6)))
    across = 2 * x * y
    return np.stack(
        [
            x * radial + p1 * across + p2 * (s + 2 * x * x),
            y * radial + p1 * (s + 2 * y * y) + p2 * across,
        ],
        axis=1,
    )


def seen(points: np.ndarray, view: View) -> Pixels:
    """Project points of which some have to be in the image.

    Raises:
        DataError: none is, with how many are where, and whether the inverse would do better.
    """
    pixels = project(points, view)
    if not pixels.inside.any():
        raise DataError(
            nothing_seen(points, view, pixels),
            where=view.camera.where,
            expected="the transform from the LiDAR to the camera (z forward, x right, y down)",
        )
    return pixels


def nothing_seen(points: np.ndarray, view: View, pixels: Pixels) -> str:
    """Why none of the points is in the image, in one clause."""
    behind = int((pixels.depth < view.nearest_m).sum())
    text = (
        f"of {len(points)} points none is in the image of {view.name}: {behind} are behind it or "
        f"nearer than {view.nearest_m:g} m, {len(points) - behind} beside it"
    )
    turned = view.with_pose(inverse(view.from_lidar))
    others = int(project(points, turned).inside.sum())
    return text + (f"; by the inverse transform {others} are in it" if others else "")
