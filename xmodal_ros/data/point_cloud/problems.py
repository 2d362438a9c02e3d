"""What can be wrong with LiDAR data: in files, which readers tell, and in the points of a scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.data.point_cloud.scan import Scan
from xmodal_ros.data.visual_tactile.example import Problem

PROBLEMS = ("calibration", "points", "intensity", "times")
"""Kinds that are told of LiDAR data, beside those of other data sets."""
FEW = 0.1
"""Share of the median scan's points below which most of a scan was lost."""
UNRETURNED = 0.5
"""Share of points at the origin from which something is in front of the sensor."""
SATURATED = 0.5
"""Share of points of full intensity from which its range is another than the layout says."""
FARTHEST_M = 500.0
"""No LiDAR of a robot or car sees as far; millimetres look like this."""
LONGEST_TURN_S = 1.0


@contextmanager
def telling(problems: list[Problem], kind: str = "unreadable") -> Iterator[None]:
    """Make a problem of an error, and go on."""
    try:
        yield
    except DataError as error:
        text = str(error).removeprefix(f"{error.where}: ")
        problems.append(Problem(kind, error.where, text))


def problems(scan: Scan) -> list[Problem]:
    """Everything that is wrong with the points of a scan, empty if nothing is."""
    return [*_points(scan), *_intensity(scan), *_times(scan)]


def torn(sizes: Mapping[str, int]) -> list[Problem]:
    """Scans that have far fewer points than the others, as when packets are lost.

    Args:
        sizes: Points by scan.
    """
    usual = float(np.median(list(sizes.values()))) if sizes else 0.0
    return [
        Problem("points", where, f"holds {count} points; the median scan has {usual:.0f}")
        for where, count in sizes.items()
        if 0 < count < FEW * usual
    ]


def _points(scan: Scan) -> Iterator[Problem]:
    count, returned = len(scan), int(scan.returned.sum())
    if not count:
        yield Problem("points", scan.where, "holds no point that is a number; expected some")
    elif returned < (1 - UNRETURNED) * count:
        text = f"{count - returned} of {count} points are at the origin; expected less than half"
        yield Problem("points", scan.where, text)
    distance = np.linalg.norm(scan.points[:, :3], axis=1)
    if returned and np.median(distance[scan.returned]) > FARTHEST_M:
        middle = float(np.median(distance[scan.returned]))
        text = f"half of the points are beyond {middle:.0f} m; expected metres"
        yield Problem("points", scan.where, text)
    if scan.labels is not None and count and (scan.labels == IGNORE).all():
        yield Problem("label", scan.where, "no point is of a class; expected some")


def _intensity(scan: Scan) -> Iterator[Problem]:
    """Of a sensor that measures it, intensity differs from point to point."""
    intensity = scan.points[scan.returned, 3]
    if len(intensity) > 1 and intensity.min() == intensity.max() != 0:
        text = f"is {intensity[0]:.3g} of every point; expected it to differ, or to be absent"
        yield Problem("intensity", scan.where, text)
    elif len(intensity) and (share := float((intensity == 1).mean())) > SATURATED:
        text = f"is 1 of {share:.0%} of the points; expected a range that few reach"
        yield Problem("intensity", scan.where, text)


def _times(scan: Scan) -> Iterator[Problem]:
    if scan.times_s is None or not len(scan):
        return
    first, last = float(scan.times_s.min()), float(scan.times_s.max())
    if not last - first <= LONGEST_TURN_S or not max(abs(first), abs(last)) <= LONGEST_TURN_S:
        text = (
            f"points were measured {first:.4g} to {last:.4g} s after the scan's stamp; expected "
            f"one turn, at most {LONGEST_TURN_S:g} s from it"
        )
        yield Problem("times", scan.where, text)
