"""Images that look like scenes and like gels, and the layouts of data sets in small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import cv2
import numpy as np
import pytest

from xmodal_ros.data.fields import image_fields
from xmodal_ros.data.recording import RecordingWriter

Draw = Callable[..., np.ndarray]


def _scene(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)


def _gel(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 20, (height, width, 3), np.uint8)
    return noise + np.array([90, 100, 140], np.uint8)


def _write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


@pytest.fixture
def scene() -> Draw:
    """Draw a camera image `(H, W, 3) uint8` RGB: `(seed, height, width)`."""
    return _scene


@pytest.fixture
def gel() -> Draw:
    """Draw a gel image `(H, W, 3) uint8` RGB: `(seed, height, width)`."""
    return _gel


@pytest.fixture
def write_image() -> Callable[[Path, np.ndarray], Path]:
    """Write an image, RGB or of one channel, with the folders it needs."""
    return _write


VIDEOS = {
    "20220318_100000": 3,
    "20220318_110000": 3,
    "20220319_120000": 3,
    "20220320_130000": 10,
}
"""Material of each video."""


@pytest.fixture
def touch_and_go(tmp_path: Path) -> Path:
    """Four videos of four pairs; the second one is in train and in test."""
    root, seed = tmp_path / "touch_and_go", 0
    for video in VIDEOS:
        for frame in range(4):
            seed += 1
            folder = root / "dataset" / video
            _write(folder / "video_frame" / f"{frame:010d}.jpg", _scene(seed))
            _write(folder / "gelsight_frame" / f"{frame:010d}.jpg", _gel(seed))
    first, second, third, fourth = VIDEOS

    def lines(video: str, frames: range, label: int) -> list[str]:
        return [f"{video}/{frame:010d}.jpg,{label}" for frame in frames]

    lists = {
        "label.txt": [line for v, label in VIDEOS.items() for line in lines(v, range(4), label)],
        "train.txt": lines(first, range(4), 3) + lines(second, range(2), 3),
        "test.txt": lines(second, range(2, 4), 3),
        "pretrain.txt": lines(first, range(2), 3) + lines(fourth, range(2), 10),
        "train_rough.txt": lines(first, range(2), 1),
        "test_rough.txt": lines(third, range(1), 0),
    }
    for name, rows in lists.items():
        (root / name).write_text("\n".join(rows))
    return root


START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 250_000_000


def _record(
    path: Path,
    count: int = 8,
    seed: int = 0,
    storage: str = "mcap",
    labels: Sequence[tuple[int, str, str]] = (),
    camera_late_ns: int = 10_000_000,
) -> Path:
    """`labels` are (number of the image from which it holds, head, label)."""
    with RecordingWriter(path, storage=storage) as writer:
        for k in range(count):
            stamp_ns = START_NS + k * PERIOD_NS
            for at, head, label in labels:
                if at == k:
                    fields = {"data": label}
                    writer.write(f"/labels/{head}", "std_msgs/msg/String", stamp_ns - 1, fields)
            for topic, late_ns, image in (
                ("/tactile_left/image_raw", 0, _gel(seed + k)),
                ("/camera/image_raw", camera_late_ns, _scene(seed + k)),
            ):
                fields = image_fields(stamp_ns + late_ns, "f", image)
                kind = "sensor_msgs/msg/Image"
                writer.write(topic, kind, stamp_ns + late_ns + 3_000_000, fields)
    return path


@pytest.fixture
def record() -> Callable[..., Path]:
    """Write a recording of camera and left gel, 4 Hz: `(path, count, seed, storage, labels)`."""
    return _record


@pytest.fixture
def stamp_s() -> Callable[[int], str]:
    """Stamp in seconds of the gel image of a number, as text."""
    return lambda number: str(Decimal(START_NS + number * PERIOD_NS) / 10**9)
