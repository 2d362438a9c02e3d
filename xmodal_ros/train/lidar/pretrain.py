"""One pretraining run: from scans with images to a range-view encoder on disk."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

from xmodal_ros.core.declare import from_mapping
from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud import PointClouds
from xmodal_ros.train.features import weights_hash
from xmodal_ros.train.learning import learn, shown
from xmodal_ros.train.lidar.examples import PARTS, TRAIN, VALIDATION, Pairs, spread
from xmodal_ros.train.lidar.model import Batch, Cmcr, total
from xmodal_ros.train.lidar.settings import GROUPS, CmcrSettings
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors, save_text
from xmodal_ros.train.touch.run import require_same

ENCODER, BESIDE, RECORD = "encoder.safetensors", "beside.safetensors", "lidar.json"
"""The range-view encoder, what only pretraining needs, and the record."""
CHECKPOINT = "checkpoint.ckpt"


@dataclass(frozen=True)
class CmcrRun:
    """A finished run."""

    folder: Path
    model: Cmcr
    """In evaluation mode, on the CPU."""
    record: dict[str, Any]
    """What lidar.json holds."""


class _Task:
    """The objectives, as `learning.learn` takes them."""

    def __init__(self, model: Cmcr, pairs: Pairs) -> None:
        self._model, self._pairs, self._settings = model, pairs, model.settings
        self.names = pairs.names
        self.train = pairs.indices(TRAIN)
        self._validation = spread(pairs.indices(VALIDATION), self._settings.schedule.validated)

    def loss(self, chosen: np.ndarray, fabric: Fabric) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        return total(self._model.losses(self._batch(chosen, fabric, rng)), self._settings)

    def validate(self) -> dict[str, float]:
        """Means of the weighted loss and of what it consists of; the same is drawn every time."""
        fabric = Fabric(accelerator="auto", devices=1)
        count = -(-len(self._validation) // self._settings.schedule.batch)
        found: dict[str, list[float]] = {}
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            rng = np.random.default_rng(0)
            for chosen in np.array_split(self._validation, count):
                terms = self._model.losses(self._batch(chosen, fabric, rng))
                terms["loss"] = total(terms, self._settings)
                for name, value in terms.items():
                    found.setdefault(f"validation_{name}", []).append(value.item())
        return {name: float(np.mean(values)) for name, values in found.items()}

    def _batch(self, chosen: np.ndarray, fabric: Fabric, rng: np.random.Generator) -> Batch:
        return Batch(*fabric.to_device(tuple(self._pairs.batch(chosen, rng))))


def pretrain(
    data: Sequence[PointClouds],
    out: Path,
    settings: CmcrSettings,
    *,
    cache: Path | None = None,
    console: Console | None = None,
) -> CmcrRun:
    """Pretrain a range-view encoder beside a frozen image backbone.

    The test part is not looked at. A finished run in `out` is read back, an interrupted one
    continues.

    Args:
        data: Data sets with cameras, learned from together.
        out: Folder of the run.
        settings: What and how.
        cache: Folder of range images, which runs can share; `out/cache` if None.
        console: Where to show progress.

    Raises:
        DataError: a part has no scan with an image; the loss is not finite; disk full.
        SettingsError: another run is in `out`, or the backbone's weights are not to be had.
    """
    console = console or Console(quiet=True)
    model = _begun(settings)
    record: dict[str, Any] = {
        "settings": plain_settings(settings),
        "data": [one.root.name for one in data],
        "image_sha256": weights_hash(model.image),
    }
    if (out / RECORD).exists():
        found = read_record(out)
        require_same(out, found, record)
        return CmcrRun(out, _filled(model, out), found)
    pairs = Pairs(data, settings, cache or out / "cache", console)
    out.mkdir(parents=True, exist_ok=True)
    with shown(console, settings.schedule.steps, out.name) as listener:
        progress = learn(model, _Task(model, pairs), settings.schedule, out / CHECKPOINT, listener)
    if weights_hash(model.image) != record["image_sha256"]:
        raise DataError("training has changed the frozen image backbone", where=str(out))
    record |= {
        "pairs": {part: len(pairs.indices(part)) for part in PARTS},
        "left_out": pairs.left_out,
        "steps": progress.step,
        "best_step": progress.best_step,
        "history": progress.history,
    }
    facts = {"settings": json.dumps(record["settings"], sort_keys=True)}
    save_tensors(out / ENCODER, model.encoder.state_dict(), facts)
    save_tensors(out / BESIDE, _beside(model).state_dict(), facts)
    save_text(out / RECORD, json.dumps(record, indent=1) + "\n")
    (out / CHECKPOINT).unlink(missing_ok=True)
    return CmcrRun(out, model.eval(), record)


def load_run(folder: Path) -> CmcrRun:
    """A finished run, with the image backbone that it was trained beside.

    Raises:
        DataError: there is none, it is damaged, or the image backbone's weights are others now.
        SettingsError: they are not to be had.
    """
    record = read_record(folder)
    model = _begun(settings_of(record))
    if weights_hash(model.image) != record["image_sha256"]:
        raise DataError(
            "the image backbone has other weights now",
            where=f"{folder / RECORD}: image.weights",
            expected="those of the run",
        )
    return CmcrRun(folder, _filled(model, folder), record)


def read_record(folder: Path) -> dict[str, Any]:
    """What a finished run's lidar.json holds.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = folder / RECORD
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        settings_of(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"cannot be read ({error!r})",
            where=str(path),
            expected="what `xmodal lidar pretrain` leaves when it is done",
        ) from error
    return found


def settings_of(record: Mapping[str, Any]) -> CmcrSettings:
    """Settings of a run by its record."""
    groups = record["settings"]
    return CmcrSettings(**{n: from_mapping(GROUPS[n], groups[n], n) for n in GROUPS})


def plain_settings(settings: CmcrSettings) -> dict[str, Any]:
    """Settings as JSON has them."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(settings)))
    return plain


def _begun(settings: CmcrSettings) -> Cmcr:
    """The networks before a run; what is not pretrained is random, and always the same."""
    torch.manual_seed(settings.schedule.seed)
    return Cmcr(settings)


def _beside(model: Cmcr) -> nn.ModuleDict:
    """What learns beside the encoder."""
    names = ("heads", "decoder", "rays", "book")
    return nn.ModuleDict({name: getattr(model, name) for name in names})


def _filled(model: Cmcr, folder: Path) -> Cmcr:
    model.encoder.load_state_dict(load_tensors(folder / ENCODER)[0])
    _beside(model).load_state_dict(load_tensors(folder / BESIDE)[0])
    return model.eval()
