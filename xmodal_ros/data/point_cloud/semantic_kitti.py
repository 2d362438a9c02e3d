"""SemanticKITTI (Behley et al. 2019): scans of KITTI's odometry sequences, each point labelled.

`sequences/NN/` (also below `dataset/`) holds `velodyne/*.bin` (float32 x, y, z, intensity 0-1),
`labels/*.label` (uint32, the class in the lower half), `image_2/*.png`, `calib.txt` (P2 and Tr),
`times.txt` and `poses.txt`. Sequence 08, on which results are published, is the test part here.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require
from xmodal_ros.data.pictures import load
from xmodal_ros.data.point_cloud.calibration import Camera, inverse, rigid
from xmodal_ros.data.point_cloud.flat_files import (
    classes_of,
    read_labels,
    read_points,
    scan_of_rows,
    table_of,
)
from xmodal_ros.data.point_cloud.problems import telling
from xmodal_ros.data.point_cloud.scan import PointClouds, Scan, Sweep, View
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION, Problem

KIND = "semantic_kitti"
SPLITS = ("official",)
CLASSES = (
    "car", "bicycle", "motorcycle", "truck", "other-vehicle", "person", "bicyclist",
    "motorcyclist", "road", "parking", "sidewalk", "other-ground", "building", "fence",
    "vegetation", "trunk", "terrain", "pole", "traffic-sign",
)  # fmt: skip
RAW = {
    0: "unlabeled", 1: "outlier", 10: "car", 11: "bicycle", 13: "other-vehicle", 15: "motorcycle",
    16: "other-vehicle", 18: "truck", 20: "other-vehicle", 30: "person", 31: "bicyclist",
    32: "motorcyclist", 40: "road", 44: "parking", 48: "sidewalk", 49: "other-ground",
    50: "building", 51: "fence", 52: "other-structure", 60: "road", 70: "vegetation", 71: "trunk",
    72: "terrain", 80: "pole", 81: "traffic-sign", 99: "other-object", 252: "car",
    253: "bicyclist", 254: "person", 255: "motorcyclist", 256: "other-vehicle",
    257: "other-vehicle", 258: "truck", 259: "other-vehicle",
}  # fmt: skip
"""Class by raw label, those that move as those that stand, as the data set's authors map them."""
PARTS = {f"{n:02d}": TRAIN for n in range(11)} | {"08": TEST, "10": VALIDATION}
"""By sequence. Validation is ours, out of the train part; 11 to 21 have no labels and no part."""
NEAREST_M = 1.0
_TABLE = table_of(RAW, CLASSES)


def recognise(root: Path) -> bool:
    """Whether a folder looks like the data set."""
    return bool(_sequences(root))


def read(root: Path, split: str = SPLITS[0]) -> PointClouds:
    """Read the sequences that are there."""
    problems: list[Problem] = []
    notes: list[str] = []
    sweeps = [s for f in _sequences(root) for s in _sequence(f, problems, notes)]
    return PointClouds(
        KIND, root, split, tuple(sweeps), CLASSES, decode, tuple(problems), tuple(notes)
    )


def decode(sweep: Sweep) -> Scan:
    """Read a scan with its labels.

    Raises:
        DataError: a file is missing or damaged, both do not fit, or a label is unknown.
    """
    path = sweep.source.path
    rows, labels = read_points(path, 4), None
    if sweep.labels:
        raw = read_labels(sweep.labels.path, "<u4", len(rows)) & 0xFFFF
        labels = classes_of(raw, _TABLE, str(sweep.labels))
    return scan_of_rows(rows, 1.0, str(path), None, labels)


def _sequences(root: Path) -> list[Path]:
    found = (p for base in ("", "dataset/") for p in root.glob(f"{base}sequences/*/velodyne"))
    return sorted(path.parent for path in found)


def _sequence(folder: Path, problems: list[Problem], notes: list[str]) -> list[Sweep]:
    clouds = _numbered(folder / "velodyne", ".bin", problems)
    labels = _belonging(clouds, folder / "labels", ".label", folder.name in PARTS, problems)
    photos = _belonging(clouds, folder / "image_2", ".png", False, problems)
    size: tuple[int, ...] = ()
    if photos:
        with telling(problems):
            size = load((Source(next(iter(photos.values()))),))[0].shape
    else:
        notes.append(f"{folder.name}: no image_2, so its scans have no camera")
    frames = None
    with telling(problems, "calibration"):
        frames = _frames(folder / "calib.txt", size)
    wanted = max(clouds, default=-1) + 1
    times_s = _rows(folder / "times.txt", 1, wanted, problems)
    poses = _poses(folder / "poses.txt", frames, wanted, problems)
    return [
        Sweep(
            name=f"{folder.name}/{path.stem}",
            group=folder.name,
            part=PARTS.get(folder.name, ""),
            stamp_ns=round(times_s[number, 0] * 1e9) if number < len(times_s) else 0,
            source=Source(path),
            labels=Source(labels[number]) if number in labels else None,
            views=frames.views(photos[number]) if frames and number in photos else (),
            pose=poses.get(number),
        )
        for number, path in clouds.items()
    ]


class _Frames(NamedTuple):
    """Where the sensors of a sequence are."""

    to_first: np.ndarray
    """`(4, 4)`, from the LiDAR to camera 0, whose poses are given."""
    to_left: np.ndarray
    """`(4, 4)`, from the LiDAR to the left colour camera."""
    camera: Camera | None
    """The left colour camera, None where no image tells its size."""

    def views(self, photo: Path) -> tuple[View, ...]:
        """The view of a scan's image."""
        if self.camera is None:
            return ()
        return (View("image_2", self.camera, self.to_left, Source(photo), NEAREST_M),)


def _frames(path: Path, size: tuple[int, ...]) -> _Frames:
    """Read `calib.txt`; images are rectified, so that there is no distortion.

    Raises:
        DataError: it is missing, or its numbers cannot be.
    """
    found: dict[str, np.ndarray] = {}
    for line in require(path).read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, rest = line.partition(":")
        try:
            found[name.strip()] = np.array(rest.split(), np.float64)
        except ValueError:
            raise DataError(
                f"the line of '{name}' has words", where=str(path), expected="numbers"
            ) from None
    for name in ("P2", "Tr"):
        if found.get(name, np.zeros(0)).shape != (12,):
            raise DataError(
                f"no line '{name}:' of 12 numbers", where=str(path), expected="P2 and Tr"
            )
    to_first = rigid(found["Tr"].reshape(3, 4), str(path))
    if not size:
        return _Frames(to_first, to_first, None)
    projection = found["P2"].reshape(3, 4)
    camera = Camera(projection[:, :3], np.zeros(0), size[1], size[0], str(path))
    aside = np.eye(4)  # P2 = K [I | t]
    aside[:3, 3] = np.linalg.solve(projection[:, :3], projection[:, 3])
    return _Frames(to_first, aside @ to_first, camera)


def _numbered(folder: Path, suffix: str, problems: list[Problem]) -> dict[int, Path]:
    """Files by number."""
    found = {}
    for path in sorted(folder.glob(f"*{suffix}")):
        if path.stem.isdecimal():
            found[int(path.stem)] = path
        else:
            text = f"has no number for a name; expected as 000000{suffix}"
            problems.append(Problem("mismatched", str(path), text))
    return found


def _belonging(
    clouds: dict[int, Path], folder: Path, suffix: str, needed: bool, problems: list[Problem]
) -> dict[int, Path]:
    """Files that go with the scans, by number; if there is one, or it is needed, each has one."""
    files = _numbered(folder, suffix, problems)
    lonely = sorted(files.keys() - clouds.keys())
    problems.extend(Problem("mismatched", str(files[n]), "no such scan") for n in lonely)
    missing = sorted(clouds.keys() - files.keys()) if files or needed else []
    names = [f"{clouds[n].stem}{suffix}" for n in missing]
    problems.extend(Problem("missing", str(folder / name), "no such file") for name in names)
    return files


def _poses(
    path: Path, frames: _Frames | None, wanted: int, problems: list[Problem]
) -> dict[int, np.ndarray]:
    """Poses of the LiDAR in its first frame, by number of the scan."""
    found: dict[int, np.ndarray] = {}
    for number, row in enumerate(_rows(path, 12, wanted, problems)):
        if frames:
            with telling(problems, "calibration"):
                first = rigid(row.reshape(3, 4), f"{path}, line {number + 1}")
                found[number] = inverse(frames.to_first) @ first @ frames.to_first
    return found


def _rows(path: Path, columns: int, wanted: int, problems: list[Problem]) -> np.ndarray:
    """Numbers of a text file `(N, columns)`, one row of each scan; none of a file without."""
    nothing = np.zeros((0, columns))
    if not path.is_file():
        problems.append(Problem("missing", str(path), "no such file"))
        return nothing
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    try:
        rows = np.array([line.split() for line in lines if line.strip()], np.float64)
    except ValueError:
        rows = nothing
    if rows.shape[1:] != (columns,):
        text = f"cannot be read; expected rows of {columns} numbers"
        problems.append(Problem("unreadable", str(path), text))
        return nothing
    if len(rows) < wanted:
        text = f"has {len(rows)} rows; expected one of each scan, {wanted}"
        problems.append(Problem("mismatched", str(path), text))
    return rows
