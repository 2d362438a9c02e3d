"""nuScenes (Caesar et al. 2020) with lidarseg: key frames of a LiDAR and six cameras, labelled.

`v1.0-{trainval,mini,test}/*.json` are tables, `samples/` has what the sensors gave:
`LIDAR_TOP/*.pcd.bin` (float32 x, y, z, intensity 0-255, ring) and JPEG images; `lidarseg/` has a
uint8 per point. Raw labels are mapped by the names in `category.json`: two numberings of them
were published. The official `val`, on which results are published, is the test part here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud.calibration import Camera, inverse, posed
from xmodal_ros.data.point_cloud.flat_files import (
    classes_of,
    read_labels,
    read_points,
    scan_of_rows,
    table_of,
)
from xmodal_ros.data.point_cloud.nuscenes_tables import Record, Tables, parts_of
from xmodal_ros.data.point_cloud.problems import telling
from xmodal_ros.data.point_cloud.scan import PointClouds, Scan, Sweep, View
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import Problem

KIND = "nuscenes"
SPLITS = ("trainval", "mini", "test")
"""Versions of the data set."""
CLASSES = (
    "barrier", "bicycle", "bus", "car", "construction_vehicle", "motorcycle", "pedestrian",
    "traffic_cone", "trailer", "truck", "driveable_surface", "other_flat", "sidewalk", "terrain",
    "manmade", "vegetation",
)  # fmt: skip
CLASS_OF = {
    "noise": "",
    "animal": "",
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.personal_mobility": "",
    "human.pedestrian.police_officer": "pedestrian",
    "human.pedestrian.stroller": "",
    "human.pedestrian.wheelchair": "",
    "movable_object.barrier": "barrier",
    "movable_object.debris": "",
    "movable_object.pushable_pullable": "",
    "movable_object.trafficcone": "traffic_cone",
    "static_object.bicycle_rack": "",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.car": "car",
    "vehicle.construction": "construction_vehicle",
    "vehicle.emergency.ambulance": "",
    "vehicle.emergency.police": "",
    "vehicle.motorcycle": "motorcycle",
    "vehicle.trailer": "trailer",
    "vehicle.truck": "truck",
    "flat.driveable_surface": "driveable_surface",
    "flat.other": "other_flat",
    "flat.sidewalk": "sidewalk",
    "flat.terrain": "terrain",
    "static.manmade": "manmade",
    "static.other": "",
    "static.vegetation": "vegetation",
    "vehicle.ego": "",
}
"""The 16 classes of the lidarseg challenge by raw class; empty is not evaluated."""
LIDAR = "LIDAR_TOP"
NEAREST_M = 1.0
_COLUMNS, _RING, _INTENSITIES = 5, 4, 255.0


def recognise(root: Path) -> bool:
    """Whether a folder looks like the data set."""
    return bool(_version(root))


def read(root: Path, split: str = "") -> PointClouds:
    """Read the key frames of one version, with the images of the same sample.

    Args:
        root: The folder.
        split: One of `SPLITS`; empty for the first that is there.

    Raises:
        DataError: a table is missing or cannot be read.
    """
    split = split or _version(root) or SPLITS[0]
    problems: list[Problem] = []
    notes: list[str] = []
    tables = Tables(root / f"v1.0-{split}")
    table = None
    if tables.labels:
        with telling(problems, "label"):
            table = _table(tables)
    else:
        notes.append(f"no lidarseg.json in {tables.folder}, so no point has a label")
    parts = parts_of(tables, split)
    sweeps: list[Sweep] = []
    for records in tables.samples():
        with telling(problems, "mismatched"):
            sweep = _sweep(root, tables, records, parts, problems)
            sweeps += [sweep] if sweep else []
    return PointClouds(
        KIND,
        root,
        split,
        tuple(sorted(sweeps, key=lambda sweep: (sweep.name.split("/")[0], sweep.stamp_ns))),
        CLASSES if table is not None else (),
        partial(decode, table=table),
        tuple(problems),
        tuple(notes),
    )


def decode(sweep: Sweep, table: np.ndarray | None) -> Scan:
    """Read a scan with its labels.

    Args:
        sweep: Which.
        table: Class by raw label, None to read no labels.

    Raises:
        DataError: a file is missing or damaged, both do not fit, or a label is unknown.
    """
    path = sweep.source.path
    rows, labels = read_points(path, _COLUMNS), None
    if sweep.labels and table is not None:
        raw = read_labels(sweep.labels.path, "u1", len(rows))
        labels = classes_of(raw, table, str(sweep.labels))
    return scan_of_rows(rows, _INTENSITIES, str(path), _RING, labels)


def _version(root: Path) -> str:
    """The first version that is there."""
    return next((v for v in SPLITS if (root / f"v1.0-{v}" / "sample.json").is_file()), "")


def _table(tables: Tables) -> np.ndarray:
    """Class by raw label.

    Raises:
        DataError: a category has no index, or a name that is not known.
    """
    where = str(tables.folder / "category.json")
    names: dict[int, str] = {}
    for category in tables.categories:
        if "index" not in category:
            raise DataError(
                f"'{category.get('name')}' has no index",
                where=where,
                expected="the category.json that comes with lidarseg",
                do="Unpack nuScenes-lidarseg over nuScenes.",
            )
        if category["name"] not in CLASS_OF:
            raise DataError(
                f"the category '{category['name']}' is not known",
                where=where,
                expected="the 32 of nuScenes-lidarseg",
            )
        names[int(category["index"])] = CLASS_OF[category["name"]]
    return table_of(names, CLASSES)


def _sweep(
    root: Path,
    tables: Tables,
    records: Mapping[str, Record],
    parts: Mapping[str, str],
    problems: list[Problem],
) -> Sweep | None:
    """The scan of a sample, None if it has none.

    Raises:
        DataError: the record of its sample, scene or drive is not in its table.
    """
    scan = records.get(LIDAR)
    if scan is None or not _there(root, scan, problems):
        return None
    scene = tables.scene(scan)
    labels = None
    if scan["token"] in tables.labels:
        labels = root / tables.labels[scan["token"]]
    elif tables.labels:
        text = "is not in lidarseg.json"
        problems.append(Problem("missing", str(root / scan["filename"]), text))
    if labels and not labels.is_file():
        problems.append(Problem("missing", str(labels), "no such file"))
        labels = None
    pose = None
    with telling(problems, "calibration"):
        pose = _pose(tables, scan)
    return Sweep(
        name=f"{scene['name']}/{scan['token']}",
        group=tables.log(scene),
        part=parts.get(scene["name"], ""),
        stamp_ns=scan["timestamp"] * 1000,
        source=Source(root / scan["filename"]),
        labels=Source(labels) if labels else None,
        views=() if pose is None else _views(root, tables, records, pose, problems),
        pose=pose,
    )


def _views(
    root: Path,
    tables: Tables,
    records: Mapping[str, Record],
    pose: np.ndarray,
    problems: list[Problem],
) -> tuple[View, ...]:
    """Cameras of a sample: LiDAR -> car then -> world -> car at the image's time -> camera."""
    views = []
    for channel, record in sorted(records.items()):
        if not channel.startswith("CAM_") or not _there(root, record, problems):
            continue
        with telling(problems, "calibration"):
            sensor = tables.sensor(record)
            camera = Camera(
                np.array(sensor["camera_intrinsic"], np.float64),
                np.zeros(0),
                record["width"],
                record["height"],
                f"{tables.folder / 'calibrated_sensor.json'}, {sensor['token']}",
            )
            from_lidar = inverse(_pose(tables, record)) @ pose
            source = Source(root / record["filename"])
            views.append(View(channel, camera, from_lidar, source, NEAREST_M))
    return tuple(views)


def _pose(tables: Tables, record: Record) -> np.ndarray:
    """Where a sensor was in the world at the time of what it gave, `(4, 4)`."""
    car, sensor = tables.car(record), tables.sensor(record)
    return _posed(tables, "ego_pose", car) @ _posed(tables, "calibrated_sensor", sensor)


def _posed(tables: Tables, table: str, record: Record) -> np.ndarray:
    where = f"{tables.folder / table}.json, {record['token']}"
    return posed(record["translation"], record["rotation"], where)


def _there(root: Path, record: Mapping[str, Any], problems: list[Problem]) -> bool:
    path = root / record["filename"]
    if path.is_file():
        return True
    problems.append(Problem("missing", str(path), "no such file"))
    return False
