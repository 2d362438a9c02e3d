"""`imu_activity` as tracks: people's watches and phones, divided by the project's own split."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import sha256
from xmodal_ros.data.imu_activity import DEVICES, ImuActivity, Run
from xmodal_ros.data.inertial.track import ACCELERATION, ANGULAR_RATE, Inertial, Track, channels
from xmodal_ros.data.labels import Interval
from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.data.visual_tactile.example import Problem

KIND = "imu_activity"
SPLITS = ("project",)
RATE_HZ = 100.0


def recognise(root: Path) -> bool:
    """Whether a folder looks like the data set."""
    return (root / "meta.json").is_file() and any(root.glob("s[0-9][0-9].npz"))


def read(root: Path, split: str = SPLITS[0]) -> Inertial:
    """Read all runs of all people; a person whom the split does not name is in no part.

    Raises:
        DataError: `meta.json` is missing, or there is no person's file.
    """
    data = ImuActivity(root)
    rows = {row.file: row for row in load_split(FOLDER / f"{KIND}.csv").rows}
    tracks: list[Track] = []
    problems: list[Problem] = []
    for person in data.people:
        path = root / f"{person}.npz"
        row = rows.get(path.name)
        if row and sha256(path) != row.sha256:
            problems.append(Problem("changed", str(path), "not what the split was made of"))
        for device in DEVICES:
            for run in _runs(data, path, device, problems):
                track = _track(run, device, data.labels, path, row.part if row else "", problems)
                tracks += [track] if track else []
    return Inertial(KIND, root, split, tuple(tracks), data.labels, tuple(problems))


def _runs(data: ImuActivity, path: Path, device: str, problems: list[Problem]) -> list[Run]:
    try:
        return data.runs(path.stem, device)
    except DataError as error:
        problems.append(Problem("missing", str(path), error.what))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, ZlibError) as error:
        problems.append(Problem("unreadable", str(path), f"{error!r}"))
    return []


def _track(
    run: Run,
    device: str,
    names: tuple[str, ...],
    path: Path,
    part: str,
    problems: list[Problem],
) -> Track | None:
    where = f"{path}:{run.name}"
    count = len(run.stamps_ns)
    if len(run.labels) != count or run.labels.max(initial=0) >= len(names):
        text = f"{len(run.labels)} labels up to {run.labels.max(initial=0)}"
        expected = f"expected {count} of 0 to {len(names) - 1}"
        problems.append(Problem("label", where, f"{text}; {expected}"))
        return None
    try:
        return Track(
            session=run.name.rpartition("_")[0],
            subject=run.person,
            device=device,
            part=part,
            times_ns=run.stamps_ns,
            values=run.data.astype(np.float64),
            channels=channels(ACCELERATION, ANGULAR_RATE),
            labels=_intervals(run, names) if count else (),
            rate_hz=RATE_HZ,
            where=where,
        )
    except DataError as error:
        problems.append(Problem("unreadable", where, f"{error.what}; expected {error.expected}"))
        return None


def _intervals(run: Run, names: tuple[str, ...]) -> tuple[Interval, ...]:
    """Labels of samples as times; each holds to the first sample of the next one."""
    first = np.flatnonzero(np.r_[True, run.labels[1:] != run.labels[:-1]])
    after_ns = run.stamps_ns[-1] + round(1e9 / RATE_HZ)
    stamps = [*run.stamps_ns[first].tolist(), int(after_ns)]
    return tuple(
        Interval(start, end, names[run.labels[k]])
        for k, start, end in zip(first, stamps[:-1], stamps[1:], strict=True)
        if start < end
    )
