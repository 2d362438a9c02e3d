"""A pretraining run's state on disk, as safetensors: nothing in it can run code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors
from xmodal_ros.train.pretrain.model import PairEncoder
from xmodal_ros.train.pretrain.settings import PretrainSettings

CHECKPOINT = "checkpoint.safetensors"
CHANGEABLE = ("chunk", "threads", "save_every", "learning_rate")
"""Settings of the schedule that a run may continue with other values of: speed, memory, and the
rate, lowered after a loss that was not finite."""


@dataclass
class State:
    """Everything that a step changes. Random numbers follow from the step, so none are kept."""

    model: PairEncoder
    optimizer: torch.optim.Optimizer
    step: int = 0
    """Steps done."""
    history: dict[str, list[float]] = field(default_factory=dict)
    """Measures by name, in the order of `step`."""

    def save(self, folder: Path, facts: Mapping[str, str]) -> None:
        """Write the checkpoint.

        Raises:
            DataError: there is no room; the checkpoint before stays.
        """
        tensors = {f"model/{name}": tensor for name, tensor in self.model.tensors().items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer/{name}/{key}"] = value
        for name, values in self.history.items():
            tensors[f"history/{name}"] = torch.tensor(values, dtype=torch.float64)
        save_tensors(folder / CHECKPOINT, tensors, {**facts, "step": str(self.step)})

    def load(self, folder: Path, facts: Mapping[str, str]) -> None:
        """Continue from the checkpoint, where there is one.

        Raises:
            DataError: it is damaged.
            SettingsError: it is of a run with other settings or another number of pairs.
        """
        path = folder / CHECKPOINT
        if not path.exists():
            return
        tensors, found = load_tensors(path)
        check_same(folder, found, facts)
        try:
            with torch.no_grad():
                for name, tensor in self.model.tensors().items():
                    tensor.copy_(tensors[f"model/{name}"])
            for name, parameter in self.model.named_parameters():
                # The count of steps stays on the CPU, as in torch.
                self.optimizer.state[parameter] = {
                    key: tensor.to(parameter.device) if tensor.ndim else tensor
                    for key, tensor in _part(tensors, f"optimizer/{name}/").items()
                }
            rows = _part(tensors, "history/")
            self.history = {name: values.tolist() for name, values in rows.items()}
            self.step = int(found["step"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise DataError(
                f"is not a checkpoint of this run ({error})",
                where=str(path),
                do="Remove it to begin anew",
            ) from error


def facts_of(settings: PretrainSettings, pairs: int) -> dict[str, str]:
    """What a checkpoint and the weights say about the run they come from."""
    return {"settings": json.dumps(asdict(settings), sort_keys=True), "pairs": str(pairs)}


def check_same(folder: Path, found: Mapping[str, str], facts: Mapping[str, str]) -> None:
    """Refuse to continue one run as another.

    Raises:
        SettingsError: names what differs.
    """
    there, here = (_flat(x) for x in (found, facts))
    differing = sorted(
        name for name in there.keys() | here.keys() if there.get(name) != here.get(name)
    )
    if differing:
        name = differing[0]
        raise SettingsError(
            f"a run with {name} = {there.get(name)} is there, and {here.get(name)} is asked for",
            where=str(folder),
            do="Name another --out, or remove the folder to train it anew",
        )


def _flat(facts: Mapping[str, str]) -> dict[str, Any]:
    groups = json.loads(facts.get("settings", "{}"))
    # A setting that a file does not name is newer than the file: it had what is now its default.
    flat = {
        f"{group}.{name}": value
        for group, defaults in asdict(PretrainSettings()).items()
        for name, value in {**defaults, **groups.get(group, {})}.items()
    }
    kept = {k: v for k, v in flat.items() if k not in {f"schedule.{c}" for c in CHANGEABLE}}
    return {**kept, "number of pairs": facts.get("pairs")}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
