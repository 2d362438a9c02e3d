"""Checks a data set of LiDAR scans: names what is wrong with it, and counts what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.data.point_cloud.problems import problems, telling, torn
from xmodal_ros.data.point_cloud.projection import nothing_seen, project
from xmodal_ros.data.point_cloud.scan import PointClouds, Scan, Sweep
from xmodal_ros.data.visual_tactile.check import HeadCount, Report
from xmodal_ros.data.visual_tactile.example import TRAIN, Example, Problem, leaks
from xmodal_ros.data.visual_tactile.look import look

HEAD = "points"
"""Classes are counted in points."""
ENOUGH = 1000
"""Points of which one should be in an image, if the calibration is right."""


def check(
    data: PointClouds, listener: Callable[[int, int], None] = lambda done, total: None
) -> Report:
    """Check a data set: every scan is read, and every image of a camera.

    Args:
        data: As it was read.
        listener: Called with the number of scans and images that were looked at, and of all.
    """
    found = list(data.problems)
    counts: dict[str, np.ndarray] = {}
    sizes: dict[str, int] = {}
    cameras: dict[tuple[str, str], _Eye] = {}
    images = {view.source: view.camera for sweep in data.sweeps for view in sweep.views}
    total = len(data.sweeps) + len(images)
    for done, sweep in enumerate(data.sweeps, 1):
        with telling(found):
            scan = data.load(sweep)
            found += problems(scan)
            sizes[scan.where] = len(scan)
            _count(scan, counts.setdefault(sweep.part, np.zeros(256, np.int64)))
            _see(sweep, scan, cameras)
        listener(done, total)
    found += torn(sizes)
    found += [Problem("calibration", w, e.why) for (_, w), e in cameras.items() if e.blind]
    for done, seen in enumerate(look(images), len(data.sweeps) + 1):
        camera = images[seen.source]
        if seen.error:
            found.append(Problem("unreadable", str(seen.source), seen.error))
        elif seen.shape[1:] != (camera.height, camera.width):
            text = f"is {seen.shape[2]}x{seen.shape[1]}; expected {camera.width}x{camera.height}"
            found.append(
                Problem("mismatched", str(seen.source), f"{text}, as {camera.where} says")
            )
        listener(done, total)
    heads = _heads(counts, data.classes)
    examples = [Example(s.name, {}, {}, s.group, s.part) for s in data.sweeps]
    found += [*_never_trained(data, heads), *_leaks(data, examples)]
    if not data.sweeps:
        found.append(Problem("missing", str(data.root), "no scan that can be used"))
    return Report(
        kind=data.kind,
        root=str(data.root),
        split=data.split,
        examples=dict(Counter(example.part for example in examples)),
        groups=dict(Counter(part for part, _ in {(e.part, e.group) for e in examples})),
        heads={HEAD: heads} if heads else {},
        problems=tuple(dict.fromkeys(found)),
        notes=data.notes,
    )


def join(
    report: Report,
    data: PointClouds,
    listener: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """The report of recordings, with what is found of their LiDARs.

    Of recordings without anything else that can be used, the report is that of the LiDARs.
    """
    clouds = check(data, listener)
    if data.sweeps and not report.examples:
        return clouds
    # Recordings need not have a LiDAR: that none of them has one is no problem.
    more = [problem for problem in clouds.problems if data.sweeps or problem.kind != "missing"]
    return replace(
        report,
        heads={**report.heads, **clouds.heads},
        problems=tuple(dict.fromkeys([*report.problems, *more])),
        notes=(*report.notes, *clouds.notes),
    )


def _count(scan: Scan, counts: np.ndarray) -> None:
    if scan.labels is not None:
        counts += np.bincount(scan.labels, minlength=256)


@dataclass
class _Eye:
    """What a camera has seen of the scans so far."""

    points: int = 0
    """That it could have seen."""
    sees: bool = False
    why: str = ""
    """Nothing was seen of the first scan."""

    @property
    def blind(self) -> bool:
        """Whether its calibration must be wrong."""
        return not self.sees and self.points >= ENOUGH


def _see(sweep: Sweep, scan: Scan, cameras: dict[tuple[str, str], _Eye]) -> None:
    for view in sweep.views:
        eye = cameras.setdefault((view.name, view.camera.where), _Eye())
        if not eye.sees:
            pixels = project(scan.points, view)
            eye.points += len(scan)
            eye.sees = bool(pixels.inside.any())
            if not eye.sees and not eye.why:
                eye.why = nothing_seen(scan.points, view, pixels)


def _heads(counts: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> dict[str, HeadCount]:
    """Points by part and class; those of no class are left out."""
    answer = int(counts[TRAIN][:IGNORE].argmax()) if TRAIN in counts else None
    made = {}
    for part, found in sorted(counts.items()):
        known = found[: len(classes)]
        total = int(known.sum())
        if total:
            made[part] = HeadCount(
                counts={classes[k]: int(known[k]) for k in np.flatnonzero(known)},
                majority=float(known.max() / total),
                constant=None if answer is None else float(known[answer] / total),
            )
    return made


def _never_trained(data: PointClouds, heads: Mapping[str, HeadCount]) -> Iterator[Problem]:
    """Classes that are in another part but not in train."""
    for part, found in heads.items() if TRAIN in heads else ():
        for label in sorted(found.counts.keys() - heads[TRAIN].counts.keys()):
            text = f"'{label}' is {found.counts[label]} points in {part}, never in train"
            yield Problem("class", f"{data.root}, split '{data.split}'", text)


def _leaks(data: PointClouds, examples: list[Example]) -> Iterator[Problem]:
    for group, parts in leaks(examples).items():
        counts = " and ".join(f"{count} in {part}" for part, count in sorted(parts.items()))
        yield Problem("leak", f"{data.root}, split '{data.split}'", f"of '{group}' are {counts}")
