"""Small pairs of images with something in common, in memory and on disk, and a small run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from xmodal_ros.data.visual_tactile.pairs import Pair
from xmodal_ros.train.pretrain.settings import read_overrides

SMALL = (
    "encoder.backbone=test_vit", "encoder.weights=random", "encoder.height=32",
    "encoder.width=32", "encoder.dim=32", "schedule.batch=8", "schedule.chunk=0",
    "schedule.steps=6", "schedule.warmup=2", "schedule.learning_rate=0.001",
    "schedule.save_every=2", "schedule.measure_every=1",
)  # fmt: skip


@dataclass
class Generated:
    """Pairs that show the same coarse pattern in other colours and sizes."""

    count: int = 24
    read: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Pair:
        self.read.append(index)
        coarse = np.random.default_rng(index).integers(0, 255, (3, 4, 3), np.uint8)
        camera = cv2.resize(coarse, (60, 40))
        return Pair(f"pair {index}", camera, cv2.resize(255 - coarse, (44, 50)))


@pytest.fixture
def make_pairs() -> type[Generated]:
    return Generated


@pytest.fixture
def pairs() -> Generated:
    return Generated()


@pytest.fixture
def make_settings():
    def make(*overrides: str):
        return read_overrides([*SMALL, *overrides])

    return make


@pytest.fixture
def small() -> tuple[str, ...]:
    return SMALL


@pytest.fixture
def folder(tmp_path, pairs):
    """The same pairs as PNG files, in the layout of the ObjectFolder benchmark."""
    root = tmp_path / "pairs"
    listed = []
    for index in range(len(pairs)):
        name, pair = f"object{index % 3}", pairs[index]
        listed.append([name, str(index)])
        for modality, image in {"vision": pair.camera, "touch": pair.tactile}.items():
            path = root / modality / name / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image[..., ::-1])
    (root / "label.json").write_text(json.dumps({f"object{i}": i for i in range(3)}))
    (root / "split.json").write_text(json.dumps({"train": listed, "val": [], "test": []}))
    return root
