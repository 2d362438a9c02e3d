"""A small drive in SemanticKITTI's layout: in each scan one car, which the camera sees as red."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from rich.console import Console

from xmodal_ros.data.point_cloud import read_clouds
from xmodal_ros.train.lidar.pretrain import pretrain
from xmodal_ros.train.lidar.settings import read_overrides

FORWARD = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])
"""A camera (z forward, y down) where the LiDAR is (x forward, z up)."""
SIDE, FOCAL = 64, 40.0
SCANS = {"00": 6, "10": 3, "08": 2}
"""By sequence: train, validation, test."""
CAR, ROAD = 10, 40
SMALL = (
    "lidar.backbone=test_efficientnet", "lidar.level=1", "lidar.height=16", "lidar.width=64",
    "lidar.channels=16", "lidar.dim=8", "image.backbone=test_efficientnet",
    "image.weights=random", "image.height=32", "image.width=32", "image.finest=0",
    "image.coarsest=1", "codebook.size=12", "codebook.decay=0.9", "codebook.patience=3",
    "draw.pairs=128", "draw.queries=60", "draw.tellers=200", "draw.patch=8", "vary.columns=32",
    "schedule.batch=3",
    "schedule.steps=12", "schedule.validate_every=4", "schedule.learning_rate=0.005",
)  # fmt: skip


def make_scan(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points `(N, 4)` of 16 rings, their raw labels, and an image; the car is anywhere ahead."""
    rng = np.random.default_rng(seed)
    elevation, azimuth = np.meshgrid(
        np.radians(np.linspace(-14, 2, 16)), np.linspace(-np.pi, np.pi, 80, endpoint=False)
    )
    elevation, azimuth = elevation.ravel(), azimuth.ravel()
    towards = rng.uniform(-0.4, 0.4)
    car = (np.abs(azimuth - towards) < 0.15) & (np.abs(elevation + 0.08) < 0.12)
    away = np.where(car, 6.0, 12.0) + rng.normal(0, 0.02, len(car))
    flat = away * np.cos(elevation)
    xyz = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), away * np.sin(elevation)], 1)
    points = np.hstack([xyz, np.where(car, 0.9, 0.3)[:, None]]).astype(np.float32)
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    columns = SIDE / 2 - FOCAL * np.tan([towards + 0.15, towards - 0.15])
    left, right = np.clip(columns, 0, SIDE - 1).astype(int)
    image[30:40, left : right + 1] = (200, 40, 40)
    return points, np.where(car, CAR, ROAD).astype(np.uint32), image


def write_drive(root: Path) -> Path:
    """All of it."""
    matrix = np.array([[FOCAL, 0, SIDE / 2, 0], [0, FOCAL, SIDE / 2, 0], [0, 0, 1, 0]])
    lines = [f"P{k}: " + " ".join(map(str, matrix.ravel())) for k in range(4)]
    lines.append("Tr: " + " ".join(map(str, FORWARD.ravel())))
    for sequence, count in SCANS.items():
        folder = root / "sequences" / sequence
        for name in ("velodyne", "labels", "image_2"):
            (folder / name).mkdir(parents=True)
        for k in range(count):
            points, labels, image = make_scan(100 * int(sequence) + k)
            points.tofile(folder / "velodyne" / f"{k:06d}.bin")
            labels.tofile(folder / "labels" / f"{k:06d}.label")
            assert cv2.imwrite(str(folder / "image_2" / f"{k:06d}.png"), image[..., ::-1])
        (folder / "calib.txt").write_text("\n".join(lines) + "\n")
        (folder / "times.txt").write_text("".join(f"{0.1 * k:e}\n" for k in range(count)))
    return root


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return write_drive(tmp_path_factory.mktemp("drive"))


@pytest.fixture(scope="session")
def drive(root):
    return read_clouds(root)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def quiet():
    return Console(quiet=True)


@pytest.fixture(scope="session")
def settings():
    return read_overrides(SMALL)


@pytest.fixture(scope="session")
def run(drive, settings, cache, tmp_path_factory):
    """A finished pretraining, to look at."""
    return pretrain([drive], tmp_path_factory.mktemp("joint"), settings, cache=cache)
