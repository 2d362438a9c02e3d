"""A small visual-tactile data set on disk: materials differ in colour, grasps in motion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import Example
from xmodal_ros.train.touch.settings import TouchSettings, read_overrides

COLOURS = {"wood": (150, 100, 40), "steel": (90, 95, 100), "rubber": (20, 140, 60)}
PARTS = ("train", "train", "train", "validation", "test")
SMALL = (
    "encoder.level=1", "encoder.height=32", "encoder.width=32", "encoder.gel_height=24",
    "encoder.gel_width=32", "encoder.rows=2", "encoder.columns=2", "encoder.gel_rows=2",
    "encoder.gel_columns=2", "trunk.dim=16", "trunk.attention_heads=2", "schedule.steps=30",
    "schedule.validate_every=10", "schedule.batch=16", "schedule.per_group=0",
    "schedule.learning_rate=0.01", "trunk.dropout=0.0",
)  # fmt: skip


def write_data(root: Path, parts: Sequence[str] = PARTS, images: int = 3) -> VisualTactile:
    """Objects of three materials, one of each material per part, each seen and felt twice."""
    rng = np.random.default_rng(0)
    examples = []
    for number, part in enumerate(parts):
        for name, colour in COLOURS.items():
            group = f"{name} {number}"
            for grasp in range(2):
                at = root / group / str(grasp)
                at.mkdir(parents=True)
                made = {}
                for stream, count in (("camera", 1), ("tactile_left", images)):
                    sources = []
                    for k in range(count):
                        image = np.array(colour) + rng.normal(0, 8, (48, 64, 3)) + 40 * grasp * k
                        path = at / f"{stream}_{k}.png"
                        cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])
                        sources.append(Source(path))
                    made[stream] = tuple(sources)
                labels = {"material": name, "grasp": ("fail", "success")[grasp]}
                examples.append(
                    Example(f"{group}/{grasp}", made, labels, group, part, {"tactile_left": 12.5})
                )
    return VisualTactile("test", root, "official", tuple(examples))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> VisualTactile:
    return write_data(tmp_path_factory.mktemp("touch"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def small() -> TouchSettings:
    return read_overrides(SMALL)


@pytest.fixture
def make_data():
    return write_data
