"""The Feeling of Success: grasps by a gripper with two GelSights under a Kinect, held or not.

Source: Calandra et al. 2017. Files `calandra_corl2017_<nnn>.h5` (9,296 grasps of 105 objects), as
deepdish writes lists: `data/<grasp>` with images of 1280x960 RGB, and scalars as attributes or
data sets. Images of after the lift show the outcome: they are never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.hdf5 import open_hdf5
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import (
    CAMERA,
    DISJOINT,
    LEFT,
    RIGHT,
    Example,
    Problem,
    VisualTactile,
    divide,
)

KIND = "feeling_of_success"
SPLITS = (DISJOINT,)
STREAMS = {CAMERA: "kinectA_rgb", LEFT: "gelsightA", RIGHT: "gelsightB"}
"""Which GelSight is on the left is not said; A is called so here."""
MOMENTS = ("before", "during")


def recognise(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return any(root.glob("calandra_corl2017_*.h5"))


def read(root: Path, split: str = DISJOINT) -> VisualTactile:
    """Read the grasps of all files; clips are two images, before and during the grasp.

    Raises:
        DataError: h5py is not installed.
    """
    problems: list[Problem] = []
    grasps: list[tuple[Path, str, str, str]] = []
    for path in sorted(root.glob("calandra_corl2017_*.h5")):
        try:
            file = open_hdf5(path)
        except DataError as error:
            if "not installed" in error.what:
                raise
            problems.append(Problem("unreadable", str(path), error.what))
            continue
        with file:
            grasps.extend(_grasps(path, file, problems))
    parts = divide(dict.fromkeys((name for _, name, _, _ in grasps), ""))
    examples = tuple(
        Example(
            f"{path.stem}/{place}", _streams(path, place), {"grasp": outcome}, name, parts[name]
        )
        for path, name, place, outcome in grasps
    )
    return VisualTactile(KIND, root, split, examples, tuple(problems))


def _streams(path: Path, place: str) -> dict[str, tuple[Source, ...]]:
    return {
        stream: tuple(Source(path, f"data/{place}/{field}_{moment}") for moment in MOMENTS)
        for stream, field in STREAMS.items()
    }


def _grasps(
    path: Path, file: Any, problems: list[Problem]
) -> Iterator[tuple[Path, str, str, str]]:
    """Path, object, place and outcome of each whole grasp of a file."""
    if "data" not in file:
        problems.append(Problem("unreadable", str(path), "no group 'data'"))
        return
    group = file["data"]
    for place in sorted(group, key=lambda name: (len(name), name)):  # i2 before i10
        grasp, where = group[place], f"{path}:data/{place}"
        fields = [f"{field}_{moment}" for field in STREAMS.values() for moment in MOMENTS]
        missing = [name for name in fields if name not in grasp]
        problems.extend(Problem("missing", f"{where}/{m}", "no such image") for m in missing)
        name, held = _scalar(grasp, "object_name"), _scalar(grasp, "is_gripping")
        if not isinstance(name, str) or not name:
            problems.append(Problem("label", where, "object_name cannot be read"))
        elif held not in (0, 1):
            problems.append(Problem("label", where, "is_gripping cannot be read as true or false"))
        elif not missing:
            yield path, name, place, "success" if held else "fail"


def _scalar(grasp: Any, name: str) -> Any:
    """A text or number, kept as an attribute or as a data set; None for anything else."""
    value = grasp.attrs.get(name)
    if value is None and name in grasp:
        value = grasp[name][()]
    if value is None or np.size(value) != 1:
        return None
    value = np.asarray(value).reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.item() if isinstance(value, np.generic) else value
