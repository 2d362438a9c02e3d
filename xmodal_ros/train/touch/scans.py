"""Scans of a LiDAR beside the images of examples, as range images that are kept on disk."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from rich.progress import track

from xmodal_ros.core.errors import DataError, UserError
from xmodal_ros.core.range_image import RangeView
from xmodal_ros.core.types import Modality
from xmodal_ros.data.decode import decode_pointcloud2
from xmodal_ros.data.recorded_images import frames_of, messages_at, nearest
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import Example
from xmodal_ros.data.visual_tactile.recordings import SETTINGS
from xmodal_ros.nn.branch import ContrastiveEncoder
from xmodal_ros.runtime.preprocess import range_image
from xmodal_ros.train.pretrain.files import load_tensors, require_room
from xmodal_ros.train.touch.settings import LIDAR, LidarStart


def load_lidar(contrastive: ContrastiveEncoder, start: LidarStart) -> None:
    """Fill the encoder of a branch; its embedding stays random, since none was pretrained."""
    tensors = load_tensors(Path(start.folder) / start.file)[0]
    found = {
        k.removeprefix(start.prefix): x for k, x in tensors.items() if k.startswith(start.prefix)
    }
    contrastive.encoder.load_state_dict(found)


def with_scans(data: VisualTactile) -> VisualTactile:
    """Add to the examples of recordings the scan that is nearest to each, as a node would.

    Raises:
        DataError: none of them has a LiDAR.
        SettingsError: `settings.yaml` is wrong.
    """
    file = data.root / SETTINGS
    settings = load_settings(file if file.is_file() else None)
    anchor = next(s for s in settings.streams if s.modality == Modality.TACTILE.value)
    tolerance_s = {s.name: s.tolerance_s for s in settings.streams}
    by_path: dict[Path, list[int]] = defaultdict(list)
    for row, example in enumerate(data.examples):
        by_path[next(iter(example.streams.values()))[0].path].append(row)
    made, why = list(data.examples), ""
    for path, rows in by_path.items():
        try:
            times, sources = frames_of(path, settings, LIDAR)
        except UserError as error:
            why = f": {error}"
            continue
        places = [(int(time), 0) for time in times]
        for row in rows:
            stamp_ns = int(made[row].name.rpartition("@")[2])
            near = nearest(places, stamp_ns + round(anchor.offset_s * 1e9), tolerance_s[LIDAR])
            if near is not None:
                streams = {**made[row].streams, LIDAR: (sources[near],)}
                made[row] = replace(made[row], streams=streams)
    if not any(LIDAR in example.streams for example in made):
        raise DataError(
            f"has no scan near an example{why}",
            where=str(data.root),
            expected=f"recordings with a LiDAR, stream '{LIDAR}'",
        )
    return replace(data, examples=tuple(made))


class Scans:
    """`array`: `(N, 1, height, width, 4) float32` of all examples, zeros where there are none.

    Args:
        examples: All.
        view: How scans become range images.
        folder: Where they are kept.

    Raises:
        DataError: there is no room in the folder.
    """

    def __init__(self, examples: Sequence[Example], view: RangeView, folder: Path) -> None:
        self._examples, self._view = examples, view
        self.key = self._key()
        """Of what the scans are, hexadecimal."""
        path = folder / f"scans-{self.key[:16]}.npy"
        told = path.with_suffix(".json")
        if not told.exists():
            shape = (len(examples), 1, view.rows, view.columns, 4)
            require_room(folder, 4 * math.prod(shape))
            array = open_memmap(path, "w+", np.float32, shape)
            problems = self._fill(array)
            array.flush()
            told.write_text(json.dumps(problems), encoding="utf-8")  # last: the scans are whole
        self.problems: dict[str, str] = json.loads(told.read_text(encoding="utf-8"))
        """Why an example's scan cannot be used, by its name."""
        self.array: np.ndarray = np.load(path, mmap_mode="r")

    def _key(self) -> str:
        digest = hashlib.sha256(repr(self._view).encode())
        for example in self._examples:
            for source in example.streams.get(LIDAR, ()):
                found = source.path.stat() if source.path.exists() else None
                facts = (found.st_size, found.st_mtime_ns) if found else ()
                digest.update(f"{example.name} {source} {facts}\n".encode())
            digest.update(b"-")
        return digest.hexdigest()

    def _fill(self, array: np.ndarray) -> dict[str, str]:
        by_path: dict[Path, dict[Source, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row, example in enumerate(self._examples):
            for source in example.streams.get(LIDAR, ()):
                by_path[source.path][source].append(row)
        problems = {}
        for path, rows in track(by_path.items(), "scans"):
            for source, image in _images(path, list(rows), self._view).items():
                for row in rows[source]:
                    if isinstance(image, str):
                        problems[self._examples[row].name] = image
                    else:
                        array[row, 0] = image
        return problems


def _images(
    path: Path, sources: Sequence[Source], view: RangeView
) -> dict[Source, np.ndarray | str]:
    """Range images of a recording's scans, or why there is none."""
    places = {}
    for source in sources:
        topic, _, log_ns = source.place.rpartition("@")
        places[topic, int(log_ns)] = source
    found: dict[Source, np.ndarray | str] = {s: f"{s}: no such message" for s in sources}
    try:
        for place, _, message in messages_at(path, frozenset(places)):
            source = places[place]
            try:
                scan = range_image(decode_pointcloud2(message, str(source)), view)
            except DataError as error:
                found[source] = str(error)
                continue
            found[source] = f"{source}: shows nothing" if scan is None else scan.image
    except DataError as error:
        return dict.fromkeys(sources, str(error))
    return found
