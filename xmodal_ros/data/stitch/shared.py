"""The demonstration recording's streams from the shared recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require
from xmodal_ros.data.gelsight_slip import RATE_HZ, GelsightSlip, Grasp
from xmodal_ros.data.imu_activity import ImuActivity
from xmodal_ros.data.material_photos import MaterialPhotos, Tile
from xmodal_ros.data.splits import load_split
from xmodal_ros.data.stitch.scene import DURATION_S, HOLE_S, SEGMENT_S, SEGMENTS, Scene, ticks

NOTE = (
    "Stitched: the streams were recorded by different people at different places and times, and "
    "only share a clock here. What one stream shows says nothing about another."
)
_BEAMS = 4
_RANGE_M = 20.0


def shared_scene(root: Path, splits: Path, seed: int) -> Scene:
    """Choose test items and put them on one clock.

    Raises:
        DataError: a file is missing, or the test parts have too few items.
    """
    random = np.random.default_rng([seed, 0])
    grasps = _grasps(root, splits, random)
    tiles, photos = _tiles(root, splits, random)
    runs, labels, imu = _imu(root, splits, random)
    clips = GelsightSlip(root / "gelsight_slip")
    scans = sorted((root / "lidar_camera" / "scans").glob("*.pcd"))
    if not scans:
        raise DataError("no scan", where=str(root / "lidar_camera" / "scans"), expected="*.pcd")
    sources = {
        "tactile_left, tactile_right": {
            "source": "Amit Parag, Incipient-Slip-Detection (SINTEF, MIT)",
            "licence": "BSD-2-Clause",
            "items": [grasp.name for grasp in grasps],
        },
        "imu": {
            "source": "Matey-Sanz et al. 2023, doi 10.1016/j.dib.2023.109809, watches",
            "licence": "CC BY 4.0",
            "items": runs,
        },
        "camera": {
            "source": "ambientCG, previews of material textures",
            "licence": "CC0-1.0",
            "items": [tile.name for tile in tiles],
        },
        "lidar": {
            "source": "PJLab-ADG SensorsCalibration, "
            f"every {_BEAMS}th beam to {_RANGE_M:.0f} m, in a loop",
            "licence": "Apache-2.0",
            "items": [scan.name for scan in scans],
        },
    }
    return Scene(
        streams={
            "camera": _camera(photos, tiles, seed),
            "tactile_left": _gel(clips, grasps, "L", 0.0, seed),
            "tactile_right": _gel(clips, grasps, "R", 0.013, seed),
            "imu": imu,
            "lidar": _lidar(scans, seed),
        },
        labels={
            "grasp": _grasp_labels(grasps),
            "material": [(SEGMENT_S * k, tile.category) for k, tile in enumerate(tiles)],
            "activity": labels,
        },
        metadata={
            "note": NOTE,
            "split": "test items only",
            "seed": str(seed),
            "sources": json.dumps(sources),
        },
    )


def _grasps(root: Path, splits: Path, random: np.random.Generator) -> list[Grasp]:
    """Grasps that hold and that slip by turns, of as many objects as there are."""
    split = load_split(splits / "gelsight_slip.csv", root / "gelsight_slip")
    files = {Path(file).stem for file in split.files("test")}
    known = [g for g in GelsightSlip(root / "gelsight_slip").grasps if f"{g.name}_L" in files]
    chosen: list[Grasp] = []
    for k in range(SEGMENTS):
        fitting = [g for g in known if g.slip == bool(k % 2) and g not in chosen]
        used = {g.object for g in chosen if g.slip == bool(k % 2)}
        fresh = [g for g in fitting if g.object not in used] or fitting
        if not fresh:
            raise DataError(
                "too few test grasps",
                where=str(splits / "gelsight_slip.csv"),
                expected=f"{SEGMENTS // 2} that hold and as many that slip",
            )
        chosen.append(fresh[random.integers(len(fresh))])
    return chosen


def _tiles(
    root: Path, splits: Path, random: np.random.Generator
) -> tuple[list[Tile], MaterialPhotos]:
    """Square tiles, which need no resampling, of categories with the most of them."""
    split = load_split(splits / "material_photos.csv", root / "material_photos")
    files = {Path(file).name for file in split.files("test")}
    photos = MaterialPhotos(root / "material_photos")
    known: dict[str, list[Tile]] = {}
    for tile in photos.tiles:
        if tile.name in files and tile.width == tile.height:
            known.setdefault(tile.category, []).append(tile)
    categories = sorted(known, key=lambda c: (-len(known[c]), c))[:SEGMENTS]
    if len(categories) < SEGMENTS:
        raise DataError(
            "too few categories",
            where=str(splits / "material_photos.csv"),
            expected=f"{SEGMENTS} with square test tiles",
        )
    return [known[c][random.integers(len(known[c]))] for c in categories], photos


def _imu(
    root: Path, splits: Path, random: np.random.Generator
) -> tuple[list[str], list[tuple[float, str]], Iterator[tuple[float, np.ndarray]]]:
    """Names of runs, one after the other, the labels where they change, and the samples."""
    people = load_split(splits / "imu_activity.csv", root / "imu_activity").groups("test")
    activity = ImuActivity(root / "imu_activity")
    names: list[str] = []
    labels: list[tuple[float, str]] = []
    samples: list[tuple[float, np.ndarray]] = []
    begin_s = 0.0
    while begin_s < DURATION_S:
        runs = activity.runs(people[len(names) % len(people)])
        run = runs[random.integers(len(runs))]
        # The stamps have a resolution of 1 ms, so that two samples can share one.
        grid_ns = np.arange(len(run.stamps_ns)) * 500_000
        stamps_ns = np.maximum.accumulate(run.stamps_ns - grid_ns) + grid_ns
        times_s = begin_s + (stamps_ns - stamps_ns[0]) / 1e9
        names.append(run.name)
        for k, (time_s, index) in enumerate(zip(times_s, run.labels, strict=True)):
            if time_s >= DURATION_S:
                break
            samples.append((float(time_s), run.data[k]))
            if k == 0 or index != run.labels[k - 1]:
                labels.append((float(time_s), activity.labels[index]))
        begin_s = float(times_s[-1]) + 0.01
    return names, labels, iter(samples)


def _grasp_labels(grasps: list[Grasp]) -> list[tuple[float, str]]:
    labels = []
    for k, grasp in enumerate(grasps):
        begin_s = SEGMENT_S * k + HOLE_S
        labels.append((begin_s - 0.01, "fail" if grasp.slip else "success"))
        labels.append((begin_s + SEGMENT_S - HOLE_S + 0.02, ""))
    return labels


def _gel(
    clips: GelsightSlip, grasps: list[Grasp], finger: str, phase_s: float, seed: int
) -> Iterator[tuple[float, np.ndarray]]:
    stamps = ticks(RATE_HZ, phase_s, 1e-3, (seed, ord(finger)))
    per_segment, silent = round(SEGMENT_S * RATE_HZ), round(HOLE_S * RATE_HZ)
    for k, grasp in enumerate(grasps):
        frames = clips.clip(grasp.name, finger)
        first = k * per_segment + silent
        for stamp_s, frame in zip(stamps[first : (k + 1) * per_segment], frames, strict=False):
            yield float(stamp_s), frame


def _camera(
    photos: MaterialPhotos, tiles: list[Tile], seed: int
) -> Iterator[tuple[float, np.ndarray]]:
    images = [photos.image(tile) for tile in tiles]
    for stamp_s in ticks(15.0, 0.021, 2e-3, (seed, 1)):
        yield float(stamp_s), images[int(stamp_s / SEGMENT_S)]


def _lidar(scans: list[Path], seed: int) -> Iterator[tuple[float, np.ndarray]]:
    clouds = [_scan(path) for path in scans]
    for k, stamp_s in enumerate(ticks(10.0, 0.047, 0.5e-3, (seed, 2))):
        yield float(stamp_s), clouds[k % len(clouds)]


def _scan(path: Path) -> np.ndarray:
    """Points `(N, 4) float32` of some beams, near enough."""
    try:
        from pypcd4.pypcd4 import PointCloud
    except ImportError as error:
        raise DataError(
            "the package is not installed", where="pypcd4", do="pip install pypcd4."
        ) from error
    columns = PointCloud.from_path(require(path)).numpy(("x", "y", "z", "intensity", "ring"))
    near = np.linalg.norm(columns[:, :3], axis=1) <= _RANGE_M
    return columns[near & (columns[:, 4] % _BEAMS == 0), :4].astype(np.float32)
