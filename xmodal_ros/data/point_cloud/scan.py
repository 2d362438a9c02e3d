"""What every data set of LiDAR scans is read as: sweeps with cameras, labels, poses and parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.parts import of_part
from xmodal_ros.data.pictures import load
from xmodal_ros.data.point_cloud.calibration import Camera
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import Problem


@dataclass(frozen=True, eq=False, slots=True)
class Scan:
    """The points of one turn, in the LiDAR's frame, in the order of their file.

    Raises:
        DataError: the arrays do not fit one another, or a point is not finite.
    """

    points: np.ndarray
    """`(N, 4) float32`: x, y, z in metres and intensity in [0, 1], 0 where it is not measured. It
    may be a view that cannot be written to."""
    where: str
    ring: np.ndarray | None = None
    """`(N,) uint16`, the beam of each point; None where that is not said."""
    times_s: np.ndarray | None = None
    """`(N,) float32`, when each point was measured, after the sweep's stamp; None if not said."""
    labels: np.ndarray | None = None
    """`(N,) uint8`, index into the data set's classes or `IGNORE` of `core.segmentation`; None of
    a scan without."""

    def __post_init__(self) -> None:
        count = len(self.points)
        columns = {"ring": self.ring, "times_s": self.times_s, "labels": self.labels}
        wrong = [f"{len(c)} {n}" for n, c in columns.items() if c is not None and len(c) != count]
        if self.points.shape != (count, 4) or wrong:
            raise DataError(
                f"points {self.points.shape}" + "".join(f" and {text}" for text in wrong),
                where=self.where,
                expected="(N, 4) points and as many of what is said of each",
            )
        if not np.isfinite(self.points).all():
            raise DataError("a point is NaN or infinite", where=self.where, expected="numbers")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def returned(self) -> np.ndarray:
        """`(N,) bool`: points where light came back; drivers put the others at the origin."""
        return np.asarray(self.points[:, :3].any(axis=1))


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """A camera image that goes with a scan."""

    name: str
    """Of the camera."""
    camera: Camera
    from_lidar: np.ndarray
    """`(4, 4) float64`: from the LiDAR at the sweep's stamp to the camera at the image's, which
    looks along z with x to the right. The motion between both is in it."""
    source: Source
    nearest_m: float
    """Depth from which points are taken to be seen; nearer ones are on the robot or car itself."""

    def image(self) -> np.ndarray:
        """The image `(H, W, 3) uint8` RGB.

        Raises:
            DataError: it cannot be read, or its size is not the camera's.
        """
        image: np.ndarray = load((self.source,))[0]
        height, width = image.shape[:2]
        if (width, height) != (self.camera.width, self.camera.height):
            raise DataError(
                f"is {width}x{height}",
                where=str(self.source),
                expected=f"{self.camera.width}x{self.camera.height}, as {self.camera.where} says",
            )
        return image

    def with_pose(self, from_lidar: np.ndarray) -> View:
        """The same camera elsewhere."""
        return replace(self, from_lidar=from_lidar)


@dataclass(frozen=True, eq=False, slots=True)
class Sweep:
    """Where a scan is, and what is known of it without reading its points."""

    name: str
    """Unique in its data set, and the same on every machine."""
    group: str
    """What must not be in two parts: a drive, a sequence, a recording's group."""
    part: str
    """Of the split; empty if the split does not name the group."""
    stamp_ns: int
    source: Source
    labels: Source | None
    views: tuple[View, ...]
    """Cameras whose image is there."""
    pose: np.ndarray | None
    """`(4, 4) float64`, from the LiDAR's frame to one that does not move (in recordings, to that
    in which all others are); None if not said."""


@dataclass(frozen=True, eq=False)
class PointClouds:
    """A data set as it was read: what can be used, and why the rest cannot."""

    kind: str
    root: Path
    split: str
    sweeps: tuple[Sweep, ...]
    classes: tuple[str, ...]
    """Names of the classes of points, empty if there are no labels."""
    load: Callable[[Sweep], Scan]
    """Reads the points of a sweep; raises `DataError` if they cannot be read."""
    problems: tuple[Problem, ...] = ()
    """What was left out."""
    notes: tuple[str, ...] = ()
    """What one should know that is no fault."""

    def part(self, name: str) -> tuple[Sweep, ...]:
        """Sweeps of a part.

        Raises:
            DataError: there is no such part.
        """
        return of_part(self.sweeps, name, self.root)
