"""The IMU encoder beside the frozen vision encoder it is aligned to, and both on disk."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from xmodal_ros.core.errors import DataError
from xmodal_ros.nn.branch import ContrastiveEncoder
from xmodal_ros.nn.pretrained import load_pretrained
from xmodal_ros.train.align.settings import GROUPS, AlignSettings
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors, save_text
from xmodal_ros.train.pretrain.model import load_encoder
from xmodal_ros.train.touch.run import STARTS, weights_file

WEIGHTS, RECORD = "encoder.safetensors", "align.json"
LARGEST_SCALE = math.log(100.0)
"""Of the learned scale, as in CLIP: a temperature of 0.01 at least."""


class Aligned(nn.Module):
    """Encoders of both, and a classifier of the IMU's class token.

    Args:
        settings: Of both encoders and the temperature.
        classes: Number of activities.
    """

    def __init__(self, settings: AlignSettings, classes: int) -> None:
        super().__init__()
        self.vision = ContrastiveEncoder(settings.vision.image, settings.vision.dim, frozen=True)
        self.imu = ContrastiveEncoder(settings.imu, settings.vision.dim, frozen=False)
        self.dropout = nn.Dropout(settings.imu.dropout)
        self.classifier = nn.Linear(settings.imu.width, classes)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / settings.loss.temperature)))

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: (batch, samples, 6) -> logits (batch, classes), embeddings (batch, dim)."""
        _, pooled = self.imu.encoder(windows)
        return self.classifier(self.dropout(pooled)), self.imu.embed(pooled)

    @property
    def temperature(self) -> Tensor:
        """Learned, a scalar."""
        return torch.exp(-self.scale.clamp(max=LARGEST_SCALE))


def build(settings: AlignSettings, classes: int) -> Aligned:
    """The encoders, with the vision encoder's pretrained weights.

    Raises:
        SettingsError: the weights are not to be had, or do not fit.
    """
    torch.manual_seed(settings.schedule.seed)
    model = Aligned(settings, classes)
    vision = settings.vision
    weights = weights_file(vision.weights, vision.stream, "vision.weights")
    if weights not in STARTS:
        load_encoder(model.vision, Path(weights))
    elif weights != "random":
        load_pretrained(cast(Any, model.vision.encoder).backbone, vision.backbone, weights)
    return model


def save_aligned(folder: Path, model: Aligned, record: Mapping[str, Any]) -> None:
    """Write weights of both encoders, and what is known about them.

    Raises:
        DataError: there is no room.
    """
    save_tensors(folder / WEIGHTS, model.state_dict(), {})
    save_text(folder / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")


def load_aligned(folder: Path) -> Aligned:
    """What `xmodal align` wrote: both encoders, in evaluation mode.

    Raises:
        DataError: a file is missing or damaged.
    """
    record = read_record(folder)
    settings = settings_of(record)
    model = Aligned(settings, len(record["classes"]))
    model.load_state_dict(load_tensors(folder / WEIGHTS)[0])
    return model.eval()


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a finished run.

    Raises:
        DataError: it is missing or damaged.
    """
    path = folder / RECORD
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot be read ({error})", where=str(path), expected="what `xmodal align` wrote"
        ) from error
    return found


def settings_of(record: Mapping[str, Any]) -> AlignSettings:
    """Settings of a record."""
    groups = {name: cls(**record["settings"][name]) for name, cls in GROUPS.items()}
    return AlignSettings(**groups)


def plain_settings(settings: AlignSettings) -> dict[str, Any]:
    """Settings for a record. A file's own name: where it was says more of the machine."""
    made = dataclasses.asdict(settings)
    made["vision"]["weights"] = Path(settings.vision.weights).name
    return made
