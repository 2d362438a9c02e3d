"""The tables of nuScenes: JSON lists of records that name one another by tokens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION

Record = Mapping[str, Any]

VAL = frozenset(f"scene-{number:04d}" for number in (
    3, 12, 13, 14, 15, 16, 17, 18, 35, 36, 38, 39, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102,
    103, 104, 105, 106, 107, 108, 109, 110, 221, 268, 269, 270, 271, 272, 273, 274, 275, 276, 277,
    278, 329, 330, 331, 332, 344, 345, 346, 519, 520, 521, 522, 523, 524, 552, 553, 554, 555, 556,
    557, 558, 559, 560, 561, 562, 563, 564, 565, 625, 626, 627, 629, 630, 632, 633, 634, 635, 636,
    637, 638, 770, 771, 775, 777, 778, 780, 781, 782, 783, 784, 794, 795, 796, 797, 798, 799, 800,
    802, 904, 905, 906, 907, 908, 909, 910, 911, 912, 913, 914, 915, 916, 917, 919, 920, 921, 922,
    923, 924, 925, 926, 927, 928, 929, 930, 931, 962, 963, 966, 967, 968, 969, 971, 972, 1059,
    1060, 1061, 1062, 1063, 1064, 1065, 1066, 1067, 1068, 1069, 1070, 1071, 1072, 1073,
))  # fmt: skip
"""The 150 scenes of the official val, as the data set's own tools list them."""
MINI_VAL = frozenset(("scene-0103", "scene-0916"))
"""Of the ten scenes of mini, which has two of val among those it trains on."""
HELD = 0.15
"""Share of the drives to train on that are the validation part; ours."""


class Tables:
    """The tables of one version, as far as they concern key frames of LiDAR and cameras.

    Args:
        folder: Such as `v1.0-mini`.

    Raises:
        DataError: a table is missing or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._scenes = self._by_token("scene")
        self._samples = self._by_token("sample")
        self._logs = self._by_token("log")
        channels = {r["token"]: r["channel"] for r in self._read("sensor")}
        self._sensors = self._by_token("calibrated_sensor")
        self._channels = {
            token: channels.get(record["sensor_token"], "")
            for token, record in self._sensors.items()
        }
        # 2.6 million records of trainval are no key frames: they are dropped as they are parsed.
        self._data = self._read("sample_data", lambda record: record.get("is_key_frame", True))
        needed = {record["ego_pose_token"] for record in self._data}
        self._cars = self._by_token("ego_pose", lambda record: record.get("token") in needed)
        self.labels: dict[str, str] = {}
        """File of the labels by token of the scan; empty without lidarseg."""
        self.categories: list[Record] = []
        if (folder / "lidarseg.json").is_file():
            self.labels = {r["sample_data_token"]: r["filename"] for r in self._read("lidarseg")}
            self.categories = self._read("category")

    def samples(self) -> Iterator[dict[str, Record]]:
        """What the sensors gave for each sample, by channel such as "LIDAR_TOP"."""
        found: dict[str, dict[str, Record]] = {}
        for record in self._data:
            channel = self._channels.get(record["calibrated_sensor_token"], "")
            found.setdefault(record["sample_token"], {})[channel] = record
        yield from found.values()

    @property
    def scenes(self) -> Iterable[Record]:
        """All scenes."""
        return self._scenes.values()

    def scene(self, record: Record) -> Record:
        """The scene of something a sensor gave."""
        sample = self._find("sample", self._samples, record["sample_token"])
        return self._find("scene", self._scenes, sample["scene_token"])

    def log(self, scene: Record) -> str:
        """The drive that a scene is of, whose scenes see the same streets."""
        return str(self._find("log", self._logs, scene["log_token"])["logfile"])

    def sensor(self, record: Record) -> Record:
        """Calibration of the sensor that gave something."""
        token = record["calibrated_sensor_token"]
        return self._find("calibrated_sensor", self._sensors, token)

    def car(self, record: Record) -> Record:
        """Pose of the car when a sensor gave something."""
        return self._find("ego_pose", self._cars, record["ego_pose_token"])

    def _find(self, table: str, records: Mapping[str, Record], token: str) -> Record:
        if token not in records:
            raise DataError(
                f"has no record '{token}'",
                where=str(self.folder / f"{table}.json"),
                expected="one that another table names",
                do="Unpack the tables anew.",
            )
        return records[token]

    def _by_token(
        self, name: str, keep: Callable[[Record], bool] = lambda record: True
    ) -> dict[str, Record]:
        return {record["token"]: record for record in self._read(name, keep)}

    def _read(
        self, name: str, keep: Callable[[Record], bool] = lambda record: True
    ) -> list[Record]:
        path = require(self.folder / f"{name}.json")

        def kept(record: dict[str, Any]) -> dict[str, Any] | None:
            return record if keep(record) else None

        try:
            with path.open(encoding="utf-8") as stream:
                records = json.load(stream, object_hook=kept)
        except ValueError as error:
            raise DataError(
                f"cannot be read ({error})", where=str(path), expected="a list of records"
            ) from error
        found = [record for record in records if record is not None]
        for record in found:
            for field in _FIELDS[name]:
                if field not in record:
                    raise DataError(
                        f"a record without '{field}'", where=str(path), expected=f"{_FIELDS[name]}"
                    )
        return found


_FIELDS: dict[str, tuple[str, ...]] = {
    "scene": ("token", "name", "log_token"),
    "sample": ("token", "scene_token"),
    "log": ("token", "logfile"),
    "sensor": ("token", "channel"),
    "calibrated_sensor": ("token", "sensor_token", "translation", "rotation", "camera_intrinsic"),
    "sample_data": (
        "token", "sample_token", "ego_pose_token", "calibrated_sensor_token", "timestamp",
        "filename", "width", "height",
    ),
    "ego_pose": ("token", "translation", "rotation"),
    "lidarseg": ("sample_data_token", "filename"),
    "category": ("name",),
}  # fmt: skip
"""What is read of each table's records."""


def parts_of(tables: Tables, version: str) -> dict[str, str]:
    """Part by scene: test is the official val, validation a share of the drives to train on.

    Args:
        tables: Of the version.
        version: "trainval", "mini" or "test", whose scenes have no labels and no part.
    """
    if version == "test":
        return {}
    val = MINI_VAL if version == "mini" else VAL
    logs: dict[str, list[str]] = {}
    parts = {}
    for scene in tables.scenes:
        if scene["name"] in val:
            parts[scene["name"]] = TEST
        else:
            logs.setdefault(tables.log(scene), []).append(scene["name"])
    order = sorted(logs, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    for place, log in enumerate(order):
        part = VALIDATION if place < round(HELD * len(order)) else TRAIN
        parts.update(dict.fromkeys(logs[log], part))
    return parts
