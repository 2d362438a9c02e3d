"""A small visual-tactile data set in memory: materials differ in colour, grasps in brightness."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import Example
from xmodal_ros.train.experiments import cost, laboratory

COLOURS = {"wood": (150, 100, 40), "steel": (90, 95, 100)}
PARTS = ("train", "train", "validation", "test")
SMALL = (
    "encoder.backbone=test_efficientnet", "encoder.weights=random", "encoder.level=1",
    "encoder.height=32", "encoder.width=32", "encoder.gel_height=32", "encoder.gel_width=32",
    "encoder.rows=2", "encoder.columns=2", "encoder.gel_rows=2", "encoder.gel_columns=2",
    "schedule.steps=3", "schedule.validate_every=2", "schedule.batch=4", "schedule.per_group=0",
)  # fmt: skip
STREAMS = ("camera", "tactile_left", "tactile_right")


@pytest.fixture(autouse=True)
def timed_once(monkeypatch) -> None:
    """What networks cost is measured in one round: nothing here looks at how long it takes."""
    monkeypatch.setattr(laboratory, "measure_times", partial(cost.measure_times, rounds=1))


def write_data(root: Path, streams: tuple[str, ...] = STREAMS) -> VisualTactile:
    """One object of each material per part, grasped twice with each outcome."""
    rng = np.random.default_rng(len(streams))
    examples = []
    for number, part in enumerate(PARTS):
        for name, colour in COLOURS.items():
            group = f"{name}{number}"
            for grasp in range(4):
                made = {}
                for stream in streams:
                    sources = []
                    for k in range(1 if stream == "camera" else 2):
                        image = np.array(colour) + rng.normal(0, 9, (40, 40, 3)) + 50 * (grasp % 2)
                        path = root / group / f"{grasp}_{stream}_{k}.png"
                        path.parent.mkdir(parents=True, exist_ok=True)
                        cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])
                        sources.append(Source(path))
                    made[stream] = tuple(sources)
                labels = {"material": name, "grasp": ("fail", "success")[grasp % 2]}
                name_ = f"{group}/{grasp}"
                rates = {s: 12.5 for s in streams if s != "camera"}
                examples.append(Example(name_, made, labels, group, part, rates))
    return VisualTactile("test", root, "official", tuple(examples))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> VisualTactile:
    """Camera and both gels."""
    return write_data(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="session")
def gels(tmp_path_factory: pytest.TempPathFactory) -> VisualTactile:
    """Gels only, other images."""
    return write_data(tmp_path_factory.mktemp("second"), STREAMS[1:])


@pytest.fixture
def small() -> tuple[str, ...]:
    return SMALL
