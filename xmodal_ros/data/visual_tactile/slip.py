"""`gelsight_slip` as a visual-tactile data set: clips of both fingers, and whether they held."""

from __future__ import annotations

from pathlib import Path

from xmodal_ros.data.files import read_table
from xmodal_ros.data.gelsight_slip import FINGERS, RATE_HZ, GelsightSlip
from xmodal_ros.data.splits import COLUMNS, FOLDER
from xmodal_ros.data.visual_tactile.example import (
    LEFT,
    OFFICIAL,
    RIGHT,
    Example,
    Problem,
    VisualTactile,
)
from xmodal_ros.data.visual_tactile.pictures import Source

KIND = "gelsight_slip"
SPLITS = (OFFICIAL,)
STREAMS = dict(zip((LEFT, RIGHT), FINGERS, strict=True))


def recognise(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return (root / "manifest.csv").is_file() and (root / "clips").is_dir()


def read(root: Path, split: str = OFFICIAL) -> VisualTactile:
    """Read the grasps of the manifest, whose own split is by object.

    Raises:
        DataError: the manifest is missing or lacks a column.
    """
    data = GelsightSlip(root)
    problems: list[Problem] = []
    examples = []
    for grasp in data.grasps:
        clips = {stream: data.path(grasp.name, finger) for stream, finger in STREAMS.items()}
        missing = [path for path in clips.values() if not path.is_file()]
        problems.extend(Problem("missing", str(path), "no such file") for path in missing)
        if not missing:
            streams = {stream: (Source(path),) for stream, path in clips.items()}
            known = {"grasp": "fail" if grasp.slip else "success"}
            rates = dict.fromkeys(streams, RATE_HZ)
            examples.append(Example(grasp.name, streams, known, grasp.object, grasp.split, rates))
    listed = {path for example in examples for (path,) in example.streams.values()}
    hashes = {
        root / row["file"]: row["sha256"]
        for row in read_table(FOLDER / f"{KIND}.csv", COLUMNS)
        if Source(root / row["file"]) in listed
    }
    return VisualTactile(KIND, root, split, tuple(examples), tuple(problems), sha256=hashes)
