"""MMAct (Kong et al. 2019): acceleration of watch and phone, gyroscope and orientation by clip.

`{acc_watch_clip,acc_phone_clip,gyro_clip,orientation_clip}/subject<n>/scene<n>/session<n>/` holds
`<activity>.csv` with rows `time,x,y,z`. A clip is one session here, labelled as a whole by the
name of its file, whose case varies. The random split over clips that some papers use is not
offered: it has the same person on both sides.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial.track import (
    ACCELERATION,
    ANGULAR_RATE,
    ORIENTATION,
    Inertial,
    Track,
    by_session,
    channels,
)
from xmodal_ros.data.labels import Interval
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION, Problem

KIND = "mmact"
SPLITS = ("cross_subject",)
SENSORS = {
    "acc_watch_clip": ("watch", ACCELERATION, 100.0),
    "acc_phone_clip": ("phone", ACCELERATION, 100.0),
    "gyro_clip": ("phone", ANGULAR_RATE, 50.0),
    "orientation_clip": ("phone", ORIENTATION, 50.0),
}
"""By folder: device, quantity and rate in Hz."""
CLASSES = (
    "carrying", "checking_time", "closing", "crouching", "entering", "exiting", "fall", "jumping",
    "kicking", "loitering", "looking_around", "opening", "picking_up", "pointing", "pulling",
    "pushing", "running", "setting_down", "standing", "talking_on_phone", "talking", "throwing",
    "transferring_object", "using_phone", "walking", "waving_hand", "carrying_light",
    "sitting_down", "standing_up", "pocket_out", "using_pc", "drinking", "pocket_in",
    "carrying_heavy", "sitting",
)  # fmt: skip
TEST_SUBJECTS = frozenset(range(17, 21))
VALIDATION_SUBJECTS = frozenset((4, 8, 12, 16))
"""Ours, out of the 1 to 16 that the cross-subject protocol trains on."""
_FOLDERS = re.compile(r"subject(\d+)/scene\d+/session\d+", re.IGNORECASE)


def recognise(root: Path) -> bool:
    """Whether a folder looks like the data set."""
    return any((root / name).is_dir() for name in SENSORS)


def read(root: Path, split: str = SPLITS[0]) -> Inertial:
    """Read all clips into memory, one track per sensor.

    A clip that lacks a sensor has one track less. That is no problem of the data set, an empty
    file is one.
    """
    tracks: list[Track] = []
    problems: list[Problem] = []
    for folder in SENSORS:
        files = sorted(f for f in (root / folder).rglob("*") if f.suffix.lower() == ".csv")
        if not files:
            problems.append(Problem("missing", str(root / folder), "no file of this sensor"))
        for path in files:
            track = _read(path, root / folder, folder, problems)
            tracks += [track] if track else []
    kept, twice = _without_doubles(tracks)
    return Inertial(KIND, root, split, kept, CLASSES, (*problems, *twice))


def _read(path: Path, root: Path, folder: str, problems: list[Problem]) -> Track | None:
    place = path.parent.relative_to(root).as_posix()
    match = _FOLDERS.fullmatch(place)
    if not match:
        text = "is not where a clip is; expected subject<n>/scene<n>/session<n>/"
        problems.append(Problem("unreadable", str(path), text))
        return None
    # The whole name decides: parts of it, as in sitting_down and setting_down, would not.
    activity = path.stem.strip().lower()
    if activity not in CLASSES:
        text = f"'{path.stem}' is no activity of MMAct; expected one of 35, such as sitting_down"
        problems.append(Problem("label", str(path), text))
        return None
    try:
        times_ns, values = _rows(path)
    except DataError as error:
        text = str(error).removeprefix(f"{path}: ")
        problems.append(Problem("unreadable", str(path), text))
        return None
    subject = int(match[1])
    device, quantity, rate_hz = SENSORS[folder]
    start, end = int(times_ns.min()), int(times_ns.max()) + round(1e9 / rate_hz)
    return Track(
        session=f"{place.lower()}/{activity}",
        subject=f"subject{subject}",
        device=device,
        part=_part(subject),
        times_ns=times_ns,
        values=values,
        channels=channels(quantity),
        labels=(Interval(start, end, activity),),
        rate_hz=rate_hz,
        where=str(path),
    )


def _part(subject: int) -> str:
    if subject in TEST_SUBJECTS:
        return TEST
    if subject in VALIDATION_SUBJECTS:
        return VALIDATION
    return TRAIN if 1 <= subject <= 16 else ""


def _rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Stamps `(N,) int64` and values `(N, 3)`; times are read as UTC, since no zone is given.

    Raises:
        DataError: the file is empty or has other rows.
    """
    text = path.read_text(encoding="utf-8", errors="replace").replace("\0", "?")
    rows = [(n, line.split(",")) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not rows:
        raise DataError("is empty", where=str(path))
    try:
        stamps = np.array([_stamp(row[0]) for _, row in rows], "datetime64[ns]")
        values = np.array([row[1:] for _, row in rows], np.float64)
    except ValueError:
        line, row = next((line, row) for line, row in rows if not _good(row))
        raise DataError(
            f"line {line} is '{','.join(row)[:60]}'",
            where=str(path),
            expected="time as 20181022_11:08:23.250, x, y, z",
        ) from None
    if values.shape[1:] != (3,) or not np.isfinite(values).all():
        raise DataError(
            f"values {values.shape}, or not all of them are numbers",
            where=str(path),
            expected="x, y and z in each row",
        )
    return stamps.astype(np.int64), values


def _stamp(text: str) -> str:
    """The time as numpy reads it; a whole second comes without its fraction, which is then 0."""
    text = text.strip()
    if len(text) < len("20181022_11:08:23") or text[8] != "_":
        raise ValueError(text)
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:]}"


def _good(row: list[str]) -> bool:
    try:
        np.datetime64(_stamp(row[0]), "ns")
        return len([float(value) for value in row[1:]]) == 3
    except ValueError:
        return False


def _without_doubles(tracks: list[Track]) -> tuple[tuple[Track, ...], list[Problem]]:
    """Clips that are there twice, as Walking.csv and walking.csv: the first one is kept."""
    kept: list[Track] = []
    problems = []
    for together in by_session(tracks):
        first: dict[tuple[str, tuple[str, ...]], Track] = {}
        for track in together:
            other = first.setdefault((track.device, track.quantities), track)
            if other is track:
                kept.append(track)
            else:
                text = f"the same clip as {other.where}"
                problems.append(Problem("duplicated", track.where, text))
    return tuple(kept), problems
