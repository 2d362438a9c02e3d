"""Folders of recordings (rosbag2, MCAP or sqlite3) as visual-tactile data sets.

A folder holds recordings, and any of

- `split.csv`, as `xmodal_ros.data.splits` writes it: file, group (object or person), part, sha256.
  Without it every recording is a group, and groups are divided here.
- `settings.yaml`: which topics the streams camera, tactile_left, ... are; else the default ones.
- `labels.csv`, the sidecar, with columns `recording` (its file or folder, relative to the root),
  `start_s`, `end_s`, `head`, `label`. A row holds for gel images whose header stamp, in
  seconds, is in [start_s, end_s). It replaces the recording's label topic of that head.

Labels else come from `std_msgs/String` topics `labels/<head>`, each valid until the next one, ""
for none. A data set of the simulated cell is such a folder, see `simulated`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.files import read_table
from xmodal_ros.data.labels import Interval, Track
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.data.splits import COLUMNS
from xmodal_ros.data.visual_tactile.example import (
    DISJOINT,
    OFFICIAL,
    Example,
    Problem,
    VisualTactile,
    divide,
)
from xmodal_ros.data.visual_tactile.recorded import examples_of

KIND = "recordings"
SPLITS = (OFFICIAL, DISJOINT)
SPLIT, SETTINGS, SIDECAR = "split.csv", "settings.yaml", "labels.csv"
UNFINISHED = "unfinished"
"""Folder in a data set that `xmodal sim dataset` is still making."""
SIDECAR_COLUMNS = ("recording", "start_s", "end_s", "head", "label")
SUFFIXES = (".mcap", ".db3")
_HEAD = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Place:
    """A recording, and where it belongs; `part` is empty until the groups are divided."""

    path: Path
    group: str
    part: str


def recognise(root: Path) -> bool:
    """Whether a folder holds recordings."""
    return bool(_files(root))


def read(root: Path, split: str = "", kind: str = KIND, history_s: float = 0.0) -> VisualTactile:
    """Read the gel images of all recordings, with the camera image nearest to each.

    Args:
        root: The folder.
        split: "official" for `split.csv`, "disjoint" to divide groups here; empty for the former
            if it is there.
        kind: Name of the data set's kind.
        history_s: How far the clips of gels reach back; with 0 they are single images.

    Raises:
        DataError: a table has another form, or there is no recording.
        SettingsError: `settings.yaml` is wrong.
    """
    problems: list[Problem] = []
    official = (root / SPLIT).is_file()
    split = split or (OFFICIAL if official else DISJOINT)
    places, hashes = find_places(root, split, problems)
    settings_file = root / SETTINGS
    settings = load_settings(settings_file if settings_file.is_file() else None)
    tracks = read_sidecar(root, [place.path for place in places], problems)
    examples: list[Example] = []
    notes: list[str] = []
    for place in places:
        found, said = _of(root, place, settings, tracks.get(place.path, {}), history_s, problems)
        examples.extend(found)
        notes.extend(said)
    return VisualTactile(kind, root, split, tuple(examples), tuple(problems), tuple(notes), hashes)


def _of(
    root: Path,
    place: Place,
    settings: Settings,
    tracks: Mapping[str, Track],
    history_s: float,
    problems: list[Problem],
) -> tuple[list[Example], list[str]]:
    try:
        found = examples_of(place.path, settings, tracks, history_s)
    except DataError as error:
        text = str(error).removeprefix(f"{error.where}: ")
        problems.append(Problem("unreadable", str(place.path), text))
        return [], []
    if found.unread:
        problems.append(Problem("unreadable", str(place.path), found.unread))
    problems.extend(Problem("missing", str(place.path), text) for text in found.missing)
    name = place.path.relative_to(root).as_posix()
    made = [
        Example(f"{name}@{stamp_ns}", streams, labels, place.group, place.part, found.rates)
        for stamp_ns, streams, labels in found.sets
    ]
    return made, [f"{name}: {text}" for text in found.notes]


def find_places(
    root: Path, split: str, problems: list[Problem]
) -> tuple[list[Place], dict[Path, str]]:
    """Recordings with their groups and parts, and the hashes of their files.

    Raises:
        DataError: the data set is not finished; a table has another form, or is not there.
    """
    if (root / UNFINISHED).is_dir():
        raise DataError(
            "is not finished, and has no split",
            where=str(root),
            do="Repeat the command that began it: it goes on where it was.",
        )
    hashes = {}
    if (root / SPLIT).is_file():
        rows = read_table(root / SPLIT, COLUMNS)
        hashes = {root / row["file"]: row["sha256"] for row in rows}
        places = [Place(root / row["file"], row["group"], row["part"]) for row in rows]
    elif split == OFFICIAL:
        raise DataError("no such file", where=str(root / SPLIT), do="Choose --split disjoint.")
    else:
        places = [Place(path, path.relative_to(root).as_posix(), "") for path in _files(root)]
    missing = [place for place in places if not place.path.exists()]
    problems.extend(Problem("missing", str(place.path), "no such file") for place in missing)
    places = [place for place in places if place not in missing]
    if split == DISJOINT:
        parts = divide({place.group: "" for place in places})
        places = [Place(place.path, place.group, parts[place.group]) for place in places]
    return places, {path: value for path, value in hashes.items() if path.exists()}


def _files(root: Path) -> list[Path]:
    """Recordings: files by themselves, folders with `metadata.yaml` as one."""
    files = sorted(path for suffix in SUFFIXES for path in root.rglob(f"*{suffix}"))
    found = [p.parent if (p.parent / "metadata.yaml").is_file() else p for p in files]
    return list(dict.fromkeys(found))


def read_sidecar(
    root: Path, recordings: list[Path], problems: list[Problem]
) -> dict[Path, dict[str, Track]]:
    """Labels of the sidecar by recording and head."""
    path = root / SIDECAR
    rows = read_table(path, SIDECAR_COLUMNS) if path.is_file() else []
    by_name = {name: p for p in recordings for name in (p, p.parent if p.suffix else p)}
    found: dict[Path, dict[str, list[Interval]]] = {}
    for line, row in enumerate(rows, 2):
        where = f"{path}, line {line}"
        recording = by_name.get(root / row["recording"])
        if recording is None:
            problems.append(Problem("missing", where, f"no recording '{row['recording']}'"))
            continue
        try:
            interval = _interval(row)
        except ValueError as error:
            problems.append(Problem("label", where, str(error)))
            continue
        found.setdefault(recording, {}).setdefault(row["head"], []).append(interval)
    tracks: dict[Path, dict[str, Track]] = {}
    for recording, heads in found.items():
        for head, intervals in heads.items():
            track = Track(intervals)
            tracks.setdefault(recording, {})[head] = track
            for first, second in track.overlaps():
                text = f"{head} is both {first.label} and {second.label} for a time in {recording}"
                problems.append(Problem("label", str(path), text))
    return tracks


def _interval(row: Mapping[str, str]) -> Interval:
    """The interval of a row.

    Raises:
        ValueError: says what is wrong with the row.
    """
    try:
        start, end = (int(Decimal(row[name]) * 10**9) for name in ("start_s", "end_s"))
    except InvalidOperation:
        raise ValueError(
            f"got start_s '{row['start_s']}' and end_s '{row['end_s']}'; expected seconds"
        ) from None
    if not start < end:
        raise ValueError(f"got {row['start_s']} to {row['end_s']}; expected start_s < end_s")
    if not _HEAD.fullmatch(row["head"]) or not row["label"]:
        raise ValueError(f"got head '{row['head']}', label '{row['label']}'; expected names")
    return Interval(start, end, row["label"])
