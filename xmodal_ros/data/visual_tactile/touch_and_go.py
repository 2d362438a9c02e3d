"""Touch and Go: videos of people who touch things outdoors and indoors with a GelSight.

Source: Yang et al. 2022, "Touch and Go: Learning from Human-Collected Vision and Touch".
`dataset/<video>/{video_frame,gelsight_frame}/<10 digits>.jpg`, the same number is a pair;
`label.txt` and lists `{train,test,pretrain,train_rough,test_rough}.txt`, with lines
`<video>/<frame>.jpg,<int>`.

Of the official split, 100 of 106 test videos are train videos too. Who always answers the
commonest class of its test part gets 24.0 % of material, 68.0 % of hard, 56.3 % of rough right:
`xmodal data check --split official` has to show these, or the lists are not the published ones.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import (
    CAMERA,
    DISJOINT,
    OFFICIAL,
    TEST,
    TOUCH,
    TRAIN,
    Example,
    Problem,
    VisualTactile,
    divide,
)

KIND = "touch_and_go"
SPLITS = (DISJOINT, OFFICIAL)
MATERIALS = (
    "concrete", "plastic", "glass", "wood", "metal", "brick", "tile", "leather",
    "synthetic fabric", "natural fabric", "rubber", "paper", "tree", "grass", "soil", "rock",
    "gravel", "sand", "plants", "others",
)  # fmt: skip
INCONCLUSIVE = -1
SOFT = frozenset({7, 8, 9, 11, 13})
ROUGHNESS = (0, 1)
"""Integers of the rough lists. Which of them is rough is unconfirmed, so they stay integers."""
PRETRAIN = "pretrain"
_ENTRY = re.compile(r"([^/,]+)/(\d{10})\.jpg,(-?\d+)")
_LISTS = {
    "train.txt": TRAIN, "test.txt": TEST, "train_rough.txt": TRAIN, "test_rough.txt": TEST,
    "pretrain.txt": PRETRAIN,
}  # fmt: skip
Frame = tuple[str, str]
"""Video and number."""


def recognise(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    lists = [*_LISTS, "label.txt"]
    return (root / "dataset").is_dir() and any((root / name).is_file() for name in lists)


def read(root: Path, split: str = DISJOINT) -> VisualTactile:
    """Read the pairs that are listed and there.

    Args:
        root: The folder that holds `dataset`.
        split: "official", or "disjoint": every video in one part, spread by material. In it,
            unlabelled frames are in the part of their video.

    Raises:
        DataError: there is no list that the split needs.
    """
    labels, parts, problems = _read_lists(root, split)
    videos = _Videos(root)
    if split == DISJOINT:
        commonest = _commonest_material(labels)
        part_of = divide(commonest)
        parts = {frame: part_of[frame[0]] for frame in labels}
    examples = []
    for frame in sorted(labels):
        missing = videos.missing(frame)
        if missing:
            problems.extend(missing)
            continue
        examples.append(_example(root, frame, labels[frame], parts[frame]))
    return VisualTactile(
        KIND, root, split, tuple(examples), tuple(problems), tuple(videos.notes(labels))
    )


def _example(root: Path, frame: Frame, labels: dict[str, str], part: str) -> Example:
    video, number = frame
    folder = root / "dataset" / video
    streams = {
        CAMERA: (Source(folder / "video_frame" / f"{number}.jpg"),),
        TOUCH: (Source(folder / "gelsight_frame" / f"{number}.jpg"),),
    }
    return Example(f"{video}/{number}", streams, labels, video, part)


def _read_lists(
    root: Path, split: str
) -> tuple[dict[Frame, dict[str, str]], dict[Frame, str], list[Problem]]:
    """Labels and official part of each listed frame."""
    names = [name for name in _LISTS if (root / name).is_file()]
    if split == DISJOINT and (root / "label.txt").is_file():
        names = ["label.txt", *names]
    if not names or (split == OFFICIAL and not {"train.txt", "test.txt"} <= set(names)):
        raise DataError(
            "a list is missing", where=str(root), expected="train.txt and test.txt, or label.txt"
        )
    labels: dict[Frame, dict[str, str]] = {}
    parts: dict[Frame, str] = {}
    problems: list[Problem] = []
    for name in names:
        for line, frame, number in _entries(root / name, problems):
            found = _labels(name, number)
            if found is None:
                problems.append(Problem("label", f"{root / name}, line {line}", f"class {number}"))
                continue
            known = labels.setdefault(frame, {})
            for head in sorted(known.keys() & found.keys()):
                if known[head] != found[head]:
                    text = f"{head} is {found[head]} here, {known[head]} in another line or list"
                    problems.append(Problem("label", f"{root / name}, line {line}", text))
            known.update(found)
            part = _LISTS.get(name, "")
            known_part = parts.setdefault(frame, part)
            if split == OFFICIAL and part != PRETRAIN and part != known_part:
                text = f"{frame[0]}/{frame[1]} is in {known_part} too"
                problems.append(Problem("leak", f"{root / name}, line {line}", text))
    return labels, parts, problems


def _entries(path: Path, problems: list[Problem]) -> Iterator[tuple[int, Frame, int]]:
    """Line, frame and integer of each line that can be read."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _ENTRY.fullmatch(line.strip())
        if match:
            yield number, (match[1], match[2]), int(match[3])
        elif line.strip():
            text = f"got '{line}'; expected <video>/<10 digits>.jpg,<integer>"
            problems.append(Problem("label", f"{path}, line {number}", text))


def _labels(name: str, number: int) -> dict[str, str] | None:
    """What an integer of a list says; None for one that it cannot hold."""
    if name == "pretrain.txt" or (number == INCONCLUSIVE and "rough" not in name):
        return {}
    if "rough" in name:
        return {"roughness": str(number)} if number in ROUGHNESS else None
    if not 0 <= number < len(MATERIALS):
        return None
    return {"material": MATERIALS[number], "hardness": "soft" if number in SOFT else "hard"}


def _commonest_material(labels: dict[Frame, dict[str, str]]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = {}
    for (video, _), known in labels.items():
        counts.setdefault(video, Counter())[known.get("material", "")] += 1
    return {
        video: max(sorted(found), key=lambda name: (name != "", found[name]))
        for video, found in counts.items()
    }


class _Videos:
    """Which frames are on the disk; each folder is listed once."""

    def __init__(self, root: Path) -> None:
        self._root = root / "dataset"
        self._known: dict[str, dict[str, set[str]]] = {}

    def frames(self, video: str) -> dict[str, set[str]]:
        """Numbers of the frames of a video, by folder."""
        if video not in self._known:
            self._known[video] = {
                name: {path.stem for path in (self._root / video / name).glob("*.jpg")}
                for name in ("video_frame", "gelsight_frame")
            }
        return self._known[video]

    def missing(self, frame: Frame) -> list[Problem]:
        """What is not there of a frame."""
        video, number = frame
        return [
            Problem("missing", str(self._root / video / name / f"{number}.jpg"), "no such file")
            for name, numbers in self.frames(video).items()
            if number not in numbers
        ]

    def notes(self, labels: dict[Frame, dict[str, str]]) -> Iterator[str]:
        """Videos with more frames of one sense than of the other."""
        for video in sorted({video for video, _ in labels}):
            seen, felt = (len(numbers) for numbers in self.frames(video).values())
            if seen != felt:
                yield f"{video}: {seen} camera and {felt} gel frames; the smaller number are pairs"
