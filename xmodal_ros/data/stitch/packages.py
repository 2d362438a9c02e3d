"""The demonstration recording's streams where the shared recordings are absent.

The GelSight images are real, from the package `taxim` (a ball pressed into a GelSight Mini); the
IMU, the camera and the LiDAR are generated, and the metadata says so. There are no labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require
from xmodal_ros.data.stitch.scene import HOLE_S, SEGMENT_S, SEGMENTS, Scene, ticks

NOTE = (
    "Stitched: the gel images are real presses of a ball, without a grasp; camera, IMU and LiDAR "
    "are GENERATED. It shows that the software runs, and nothing about its accuracy."
)
_SIZE = (320, 240)
_AT_REST = np.array([0, 0, 9.81, 0, 0, 0])
_FREE_FRAMES = 12  # without contact at the beginning of each press


def package_scene(seed: int) -> Scene:
    """Presses and generated streams.

    Raises:
        DataError: the package `taxim` is not installed.
    """
    random = np.random.default_rng([seed, 0])
    free, presses = _presses()
    chosen = random.permutation(len(presses))[: 2 * SEGMENTS].reshape(2, SEGMENTS)
    generated = {"source": "generated", "licence": "CC0-1.0"}
    real = {"source": "taxim 1.4.1, GelSight Mini calibration", "licence": "MIT"}
    sources = {
        name: {**real, "items": items.tolist()}
        for name, items in zip(("tactile_left", "tactile_right"), chosen, strict=True)
    } | dict.fromkeys(("camera", "imu", "lidar"), generated)
    return Scene(
        streams={
            "camera": _camera(seed),
            "tactile_left": _gel(free, [presses[k] for k in chosen[0]], 0.0, (seed, 3)),
            "tactile_right": _gel(free, [presses[k] for k in chosen[1]], 0.013, (seed, 4)),
            "imu": _imu(seed),
            "lidar": _lidar(seed),
        },
        labels={},
        metadata={"note": NOTE, "seed": str(seed), "sources": json.dumps(sources)},
    )


def _presses() -> tuple[np.ndarray, list[np.ndarray]]:
    """The image without contact and those of the presses, `(240, 320, 3) uint8` RGB."""
    spec = find_spec("taxim")  # not imported: that would load its torch or jax backend
    if spec is None or spec.origin is None:
        raise DataError(
            "the package is not installed",
            where="taxim",
            do="pip install taxim, or give the folder of the shared recordings.",
        )
    path = require(Path(spec.origin).parent / "calib" / "gelsight_mini" / "dataPack.npz")
    with np.load(path) as pack:
        images = [pack["f0"], *pack["imgs"]]
    small = [cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA) for image in images]
    free, *presses = (cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in small)
    return free, presses


def _gel(
    free: np.ndarray, presses: list[np.ndarray], phase_s: float, seed: tuple[int, int]
) -> Iterator[tuple[float, np.ndarray]]:
    stamps = ticks(25.0, phase_s, 1e-3, seed)
    per_segment, silent = round(SEGMENT_S * 25), round(HOLE_S * 25)
    for k, press in enumerate(presses):
        span = stamps[k * per_segment + silent : (k + 1) * per_segment]
        for j, stamp_s in enumerate(span):
            yield float(stamp_s), free if j < _FREE_FRAMES else press


def _imu(seed: int) -> Iterator[tuple[float, np.ndarray]]:
    """A device at rest, with the noise of a cheap sensor."""
    random = np.random.default_rng([seed, 5])
    for stamp_s in ticks(100.0, 0.003, 0.5e-3, (seed, 6)):
        noise = random.normal(0, (0.05,) * 3 + (0.01,) * 3)
        yield float(stamp_s), noise + _AT_REST


def _camera(seed: int) -> Iterator[tuple[float, np.ndarray]]:
    """One texture of random squares per segment."""
    random = np.random.default_rng([seed, 7])
    tiles = random.integers(0, 256, (SEGMENTS, 8, 8, 3), np.uint8)
    images = [cv2.resize(tile, (128, 128), interpolation=cv2.INTER_NEAREST) for tile in tiles]
    for stamp_s in ticks(15.0, 0.021, 2e-3, (seed, 1)):
        yield float(stamp_s), images[int(stamp_s / SEGMENT_S)]


def _lidar(seed: int) -> Iterator[tuple[float, np.ndarray]]:
    """Walls of a room of 6 m, 8 beams."""
    azimuth, elevation = np.meshgrid(
        np.linspace(-np.pi, np.pi, 512, endpoint=False), np.radians(np.linspace(-15, 15, 8))
    )
    flat = 3.0 / np.maximum(np.abs(np.cos(azimuth)), np.abs(np.sin(azimuth)))
    room = np.stack(
        [flat * np.cos(azimuth), flat * np.sin(azimuth), flat * np.tan(elevation)], axis=-1
    ).reshape(-1, 3)
    random = np.random.default_rng([seed, 8])
    for stamp_s in ticks(10.0, 0.047, 0.5e-3, (seed, 2)):
        points = room + random.normal(0, 0.01, room.shape)
        yield float(stamp_s), np.column_stack([points, np.full(len(points), 0.5)])
