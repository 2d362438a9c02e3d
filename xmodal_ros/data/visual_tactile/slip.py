"""`gelsight_slip` as a visual-tactile data set: clips of both fingers, and whether they held."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from xmodal_ros.data.files import read_table
from xmodal_ros.data.gelsight_slip import FINGERS, RATE_HZ, GelsightSlip, Grasp
from xmodal_ros.data.source import Source
from xmodal_ros.data.splits import COLUMNS, FOLDER
from xmodal_ros.data.visual_tactile.example import (
    LEFT,
    OFFICIAL,
    RIGHT,
    TRAIN,
    Example,
    Problem,
    VisualTactile,
)

KIND = "gelsight_slip"
MOMENTS = (27, 31, 35, 39, 43, 47)
"""Frames at which examples of the training part end, the last of all clips being 47."""
SPLITS = (OFFICIAL,)
STREAMS = dict(zip((LEFT, RIGHT), FINGERS, strict=True))


def recognise(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return (root / "manifest.csv").is_file() and (root / "clips").is_dir()


def read(root: Path, split: str = OFFICIAL, history_s: float = 0.0) -> VisualTactile:
    """Read the grasps of the manifest, whose own split is by object.

    Args:
        root: The folder.
        split: The manifest's.
        history_s: With 0, a grasp is one example, of its whole clips. Else a grasp of the training
            part is several, that end at `MOMENTS` of its clips and reach back so far; one of the
            test part ends with the clips.

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
            known = {"grasp": "fail" if grasp.slip else "success"}
            rates = dict.fromkeys(clips, RATE_HZ)
            for name, streams in _moments(clips, grasp, history_s):
                examples.append(Example(name, streams, known, grasp.object, grasp.split, rates))
    listed = {s.path for e in examples for clip in e.streams.values() for s in clip}
    hashes = {
        root / row["file"]: row["sha256"]
        for row in read_table(FOLDER / f"{KIND}.csv", COLUMNS)
        if root / row["file"] in listed
    }
    return VisualTactile(KIND, root, split, tuple(examples), tuple(problems), sha256=hashes)


def _moments(
    clips: Mapping[str, Path], grasp: Grasp, history_s: float
) -> Iterator[tuple[str, dict[str, tuple[Source, ...]]]]:
    """Name and streams of each example of a grasp."""
    if not history_s:
        yield grasp.name, {stream: (Source(path),) for stream, path in clips.items()}
        return
    back = math.ceil(history_s * RATE_HZ)
    for last in MOMENTS if grasp.split == TRAIN else MOMENTS[-1:]:
        frames = range(max(last - back, 0), last + 1)
        clip = {s: tuple(Source(path, str(k)) for k in frames) for s, path in clips.items()}
        yield f"{grasp.name}@{last}", clip
