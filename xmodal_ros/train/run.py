"""One training run: a recipe, a seed, a fold left out; ends in weights and logits on disk."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.nn.network import Network, build_network
from xmodal_ros.nn.pretrained import load_pretrained
from xmodal_ros.train.examples import Examples, group_folds
from xmodal_ros.train.loop import align, fit, predict
from xmodal_ros.train.recipe import Recipe
from xmodal_ros.train.recipes import find_recipe
from xmodal_ros.train.tasks import TASKS

FOLDS = 5
WEIGHTS, LOGITS, RECORD, CHECKPOINT = (
    "weights.safetensors",
    "logits.npz",
    "run.json",
    "checkpoint.ckpt",
)


@dataclass(frozen=True)
class Run:
    """What a run left in its folder."""

    folder: Path
    network: Network
    held_out: np.ndarray
    """Indices of the examples it was not trained on and answered for."""
    logits: np.ndarray
    """Of those `(N, C) float32`."""


def run(
    recipe: str | Recipe,
    data_root: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    fold: int | None = None,
    examples: Examples | None = None,
) -> Run:
    """Train a recipe once.

    Args:
        recipe: Its name, or itself.
        data_root: Folder of the data sets.
        out: Where everything goes; `out/cache` keeps features that runs share. A finished run
            is read back, an interrupted one continues.
        seed: Of everything random.
        fold: Fold of the training part to leave out and answer for; None trains on the whole
            training part and answers for nothing.
        examples: Of the recipe's task, where the caller has made them already.

    Raises:
        SettingsError: no such recipe or fold, or a finished run of another recipe is in `out`.
        DataError: the data set is not what the split file says.
    """
    made = find_recipe(recipe) if isinstance(recipe, str) else recipe
    if fold is not None and not 0 <= fold < FOLDS:
        raise SettingsError(f"got {fold}", where="fold", expected=f"0 to {FOLDS - 1}")
    out = Path(out)
    network = prepare(made)
    if examples is None:
        examples = TASKS[made.task].build(Path(data_root), out / "cache", network)
    held_out, chosen = _parts(examples, fold)
    folder = out / made.name / (f"seed{seed}" if fold is None else f"seed{seed}-fold{fold}")
    folder.mkdir(parents=True, exist_ok=True)
    split = load_split(FOLDER / f"{TASKS[made.task].split}.csv")
    record = {
        "recipe": dataclasses.asdict(made),
        "seed": seed,
        "fold": fold,
        "trained_on": len(chosen),
        "split_sha256": split.sha256,
    }
    if (folder / RECORD).exists():
        _same(folder / RECORD, record)
        network.load_state_dict(load_file(folder / WEIGHTS))
        return Run(folder, network.eval(), held_out, np.load(folder / LOGITS)["logits"])
    if made.schedule.contrastive_steps:
        align(network, examples, chosen, made.schedule, seed)
    fit(
        network,
        examples,
        chosen,
        made.schedule,
        seed=seed,
        checkpoint=folder / CHECKPOINT,
        title=folder.name,
    )
    logits = (
        predict(network, examples, held_out)
        if len(held_out)
        else np.zeros((0, TASKS[made.task].classes))
    )
    (folder / WEIGHTS).write_bytes(save(network.state_dict()))  # `save_file` hides it from others
    np.savez(folder / LOGITS, logits=logits, held_out=held_out)
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return Run(folder, network, held_out, logits)


def _same(path: Path, record: dict[str, Any]) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    for name, value in json.loads(json.dumps(record)).items():
        if found.get(name) != value:
            raise SettingsError(
                f"a finished run with another {name} is there",
                where=str(path.parent),
                do="Remove the folder to train it anew, or choose another one.",
            )


def prepare(recipe: Recipe) -> Network:
    """A recipe's network with pretrained backbones."""
    torch.manual_seed(0)  # the parts that are not pretrained start the same in every run
    network = build_network(recipe.architecture(TASKS[recipe.task].classes))
    for stream in recipe.streams:
        encoder = network.branch(stream).contrastive.encoder
        if isinstance(encoder, ImageEncoder):
            load_pretrained(encoder.backbone, encoder.settings.backbone, "package")
    return network


def _parts(examples: Examples, fold: int | None) -> tuple[np.ndarray, np.ndarray]:
    index = examples.index
    if fold is None:
        return np.zeros(0, np.int64), np.flatnonzero(~index.test)
    folds = group_folds(index, FOLDS, seed=0)
    held_out = np.flatnonzero((folds == fold) & index.scored)
    return held_out, np.flatnonzero(~index.test & (folds != fold))
