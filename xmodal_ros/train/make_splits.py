"""Writes the split files of the data sets: `python -m xmodal_ros.train.make_splits DATA`.

Grasps and photos keep the split of their manifests; of the people every sixth is held out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from xmodal_ros.data.gelsight_slip import FINGERS, GelsightSlip
from xmodal_ros.data.imu_activity import ImuActivity
from xmodal_ros.data.material_photos import MaterialPhotos
from xmodal_ros.data.splits import FOLDER, write_split
from xmodal_ros.train.material import kinds

HELD_OUT_EVERY = 6
"""Of the people, in the order of their numbers."""

Rows = Iterator[tuple[str, str, str]]
"""File, group, part."""


def make_splits(data_root: Path, folder: Path = FOLDER) -> None:
    """Write one split file per data set.

    Args:
        data_root: Folder of the data sets.
        folder: Where the files go.

    Raises:
        DataError: a data set or one of its files is missing.
    """
    for name, rows in ROWS.items():
        write_split(folder / f"{name}.csv", data_root / name, rows(data_root / name))


def _grasps(root: Path) -> Rows:
    data = GelsightSlip(root)
    for grasp in data.grasps:
        for finger in FINGERS:
            file = data.path(grasp.name, finger).relative_to(root)
            yield file.as_posix(), grasp.object, grasp.split


def _people(root: Path) -> Rows:
    for number, person in enumerate(ImuActivity(root).people, start=1):
        yield f"{person}.npz", person, "train" if number % HELD_OUT_EVERY else "test"


def _photos(root: Path) -> Rows:
    tiles = MaterialPhotos(root).tiles
    chosen = kinds(tiles)
    for tile in (t for t in tiles if t.category in chosen):
        yield f"tiles/{tile.name}", tile.name, tile.split


ROWS: dict[str, Callable[[Path], Rows]] = {
    "gelsight_slip": _grasps,
    "imu_activity": _people,
    "material_photos": _photos,
}

if __name__ == "__main__":
    make_splits(Path(sys.argv[1]))
