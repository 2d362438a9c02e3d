"""Calibrated pairs of a LiDAR scan and a photo, and consecutive scans with poses, as PCD files.

`<pair>/{calib.pcd,calib.jpg,calib.txt}`, where `calib.txt` has lines `K:` (3x3), `D:` (k1 k2 p1
p2) and `T:` (3x4, LiDAR to camera); and `scans/<time>.pcd` with `scans/*pose.txt`, rows of a
scan's name and its pose (3x4, LiDAR to the first scan). Of two pairs nothing can be trained: they
are the test part, for what was trained on other data; scans are the train part.

Source: SensorsCalibration (PJLab-ADG, Apache-2.0), whose calibrations look like this.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.pictures import load
from xmodal_ros.data.point_cloud.calibration import Camera, rigid
from xmodal_ros.data.point_cloud.cloud import message_of, read_pcd, scan_of
from xmodal_ros.data.point_cloud.problems import telling
from xmodal_ros.data.point_cloud.scan import PointClouds, Scan, Sweep, View
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, Problem

KIND = "lidar_camera"
SPLITS = ("official",)
CLOUD, PHOTO, CALIBRATION = "calib.pcd", "calib.jpg", "calib.txt"
TIME = "timestamp"
"""Of a point, in seconds since 1970."""
NEAREST_M = 1.0
"""Nearer points are on the car that carries the sensors."""
_NUMBERS = {"K": (9,), "D": (4, 5, 8), "T": (12,)}


def recognise(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return any(root.glob(f"*/{CALIBRATION}")) or any(root.glob("scans/*.pcd"))


def read(root: Path, split: str = SPLITS[0]) -> PointClouds:
    """Read pairs and scans; the stamp of a scan is the time of its last point, as its name is."""
    problems: list[Problem] = []
    pairs = sorted({p.parent for name in (CLOUD, CALIBRATION) for p in root.glob(f"*/{name}")})
    sweeps = [sweep for pair in pairs if (sweep := _pair(root, pair, problems))]
    sweeps += _scans(root / "scans", problems)
    return PointClouds(KIND, root, split, tuple(sweeps), (), decode, tuple(problems))


def decode(sweep: Sweep) -> Scan:
    """Read a scan.

    Raises:
        DataError: the file is missing or damaged.
    """
    path = sweep.source.path
    return scan_of(message_of(read_pcd(path)), sweep.stamp_ns, str(path))


def _pair(root: Path, folder: Path, problems: list[Problem]) -> Sweep | None:
    files = [folder / name for name in (CLOUD, PHOTO, CALIBRATION)]
    problems.extend(
        Problem("missing", str(path), "no such file") for path in files if not path.is_file()
    )
    views: tuple[View, ...] = ()
    size: tuple[int, ...] = ()
    if (folder / PHOTO).is_file():
        with telling(problems):
            size = load((Source(folder / PHOTO),))[0].shape
    if size and (folder / CALIBRATION).is_file():
        with telling(problems, "calibration"):
            views = (_view(folder, size[1], size[0]),)
    name = folder.relative_to(root).as_posix()
    return _sweep(folder / CLOUD, name, "pairs", TEST, views, None, problems)


def _view(folder: Path, width: int, height: int) -> View:
    """The photo of a pair.

    Raises:
        DataError: the calibration cannot be used.
    """
    where = str(folder / CALIBRATION)
    numbers = _calibration(folder / CALIBRATION)
    camera = Camera(numbers["K"].reshape(3, 3), numbers["D"], width, height, where)
    pose = rigid(numbers["T"].reshape(3, 4), where)
    return View("camera", camera, pose, Source(folder / PHOTO), NEAREST_M)


def _calibration(path: Path) -> dict[str, np.ndarray]:
    """Numbers by name.

    Raises:
        DataError: one is missing, or has other than its numbers.
    """
    found: dict[str, np.ndarray] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, rest = line.partition(":")
        if name.strip() in _NUMBERS:
            found[name.strip()] = _floats(rest.split())
    for name, counts in _NUMBERS.items():
        if name not in found or len(found[name]) not in counts:
            got = f"{len(found[name])} numbers" if name in found else "no line"
            raise DataError(
                f"{got} of {name}",
                where=str(path),
                expected=f"'{name}:' and {' or '.join(map(str, counts))} numbers",
            )
    return found


def _floats(words: list[str]) -> np.ndarray:
    """Numbers, or nothing if a word is none."""
    try:
        return np.array(words, np.float64)
    except ValueError:
        return np.zeros(0)


def _scans(folder: Path, problems: list[Problem]) -> list[Sweep]:
    poses: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*pose.txt")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            name, *words = line.split()
            numbers, where = _floats(words), f"{path}, line {number}"
            if len(numbers) != 12:
                text = f"is '{line[:40]}'; expected a name and 12 numbers"
                problems.append(Problem("unreadable", where, text))
                continue
            with telling(problems, "calibration"):
                poses[name] = rigid(numbers.reshape(3, 4), where)
    made = []
    for path in sorted(folder.glob("*.pcd")):
        if poses and path.stem not in poses:
            problems.append(Problem("missing", str(path), "no pose of this scan"))
        name, pose = f"{folder.name}/{path.stem}", poses.get(path.stem)
        sweep = _sweep(path, name, folder.name, TRAIN, (), pose, problems)
        made += [sweep] if sweep else []
    return made


def _sweep(
    path: Path,
    name: str,
    group: str,
    part: str,
    views: tuple[View, ...],
    pose: np.ndarray | None,
    problems: list[Problem],
) -> Sweep | None:
    if not path.is_file():
        return None
    array = None
    with telling(problems):
        array = read_pcd(path)
    if array is None:
        return None
    timed = len(array) and TIME in (array.dtype.names or ())
    stamp_ns = round(float(array[TIME].max()) * 1e9) if timed else 0
    return Sweep(name, group, part, stamp_ns, Source(path), None, views, pose)
