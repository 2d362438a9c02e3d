"""Write the project's own splits of the shared recordings.

python tools/make_splits.py DATA    write xmodal_ros/data/split_files/*.csv

Grasps and photos keep the split of their manifests; of the people every sixth is held out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from xmodal_ros.data.gelsight_slip import FINGERS, GelsightSlip
from xmodal_ros.data.imu_activity import ImuActivity
from xmodal_ros.data.material_photos import MaterialPhotos
from xmodal_ros.data.splits import FOLDER, write_split

HELD_OUT_EVERY = 6
"""Of the people, in the order of their numbers."""
KINDS = 18
"""Of the photos, the most frequent categories: the others have few textures each."""

Rows = Iterator[tuple[str, str, str]]
"""File, group, part."""


def make_splits(
    data: Annotated[Path, typer.Argument(help="Folder of the data sets.")],
    out: Annotated[Path, typer.Option(help="Where the files go.")] = FOLDER,
) -> None:
    """Write one split file per data set."""
    for name, rows in ROWS.items():
        write_split(out / f"{name}.csv", data / name, rows(data / name))


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
    # Of like counts the first in the alphabet: `most_common` keeps the order in which they came.
    counts = Counter(sorted(t.category for t in tiles))
    chosen = {category for category, _ in counts.most_common(KINDS)}
    for tile in (t for t in tiles if t.category in chosen):
        yield f"tiles/{tile.name}", tile.name, tile.split


ROWS: dict[str, Callable[[Path], Rows]] = {
    "gelsight_slip": _grasps,
    "imu_activity": _people,
    "material_photos": _photos,
}

if __name__ == "__main__":
    typer.run(make_splits)
