"""Puts the trained networks of several recipes together into one bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.data.imu_activity import ImuActivity
from xmodal_ros.data.material_photos import MaterialPhotos
from xmodal_ros.nn.network import Network, build_network
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import HeadCard
from xmodal_ros.runtime.ood import fit_statistics
from xmodal_ros.runtime.save import save_bundle
from xmodal_ros.train import grasp, material
from xmodal_ros.train.loop import describe
from xmodal_ros.train.recipe import Recipe
from xmodal_ros.train.recipes import find_recipe
from xmodal_ros.train.run import prepare, run
from xmodal_ros.train.tasks import TASKS

LICENCE = "CC-BY-4.0"
"""Of the weights: the strictest of what they were trained on (see the card)."""


def assemble(
    names: Sequence[str],
    data_root: Path,
    out: Path,
    results: Path,
    path: Path,
    card: str,
    seed: int = 0,
) -> Bundle:
    """Write the bundle of finished runs.

    Args:
        names: Recipes, one per task, with the same trunk.
        data_root: Folder of the data sets.
        out: Folder of runs.
        results: Folder of the studies' JSON files, for temperatures and metrics.
        path: Folder of the bundle; its name becomes the bundle's id.
        card: Text of README.md.
        seed: Of the runs that are taken.
    """
    recipes = [find_recipe(name) for name in names]
    architecture = merged(recipes)
    network = build_network(architecture)
    heads, statistics, training, metrics = {}, {}, {}, {}
    for recipe in recipes:
        examples = TASKS[recipe.task].build(data_root, out / "cache", prepare(recipe))
        found = run(recipe, data_root, out, seed=seed, examples=examples)
        _copy(found.network, network)
        study = json.loads((results / f"{recipe.name}.json").read_text(encoding="utf-8"))
        heads[recipe.task] = HeadCard(
            task=recipe.task,
            labels=_labels(recipe.task, data_root),
            temperature=study["temperature"],
        )
        train = np.flatnonzero(~examples.index.test & examples.index.scored)
        statistics[recipe.task] = fit_statistics(
            describe(found.network, examples, train), examples.index.labels[train]
        )
        training[recipe.task] = {
            "recipe": recipe.name,
            "seed": seed,
            "data": TASKS[recipe.task].split,
            "split_sha256": study["split_sha256"],
        }
        metrics[recipe.task] = next(t["after"] for t in study["test"] if t["seed"] == seed)
    return save_bundle(
        path,
        name=path.name,
        network=network.eval(),
        architecture=architecture,
        heads=heads,
        licence=LICENCE,
        card=card,
        training=training,
        metrics=metrics,
        statistics=statistics,
    )


def merged(recipes: Sequence[Recipe]) -> dict[str, Any]:
    """One architecture with the branches, streams and heads of all recipes."""
    made: dict[str, Any] = {**recipes[0].trunk, "branches": {}, "streams": {}, "heads": {}}
    for recipe in recipes:
        part = recipe.architecture(TASKS[recipe.task].classes)
        for name in ("branches", "streams", "heads"):
            made[name].update(part[name])
    return made


def _copy(source: Network, target: Network) -> None:
    for parts, into in ((source.branches, target.branches), (source.heads, target.heads)):
        for name, module in parts.items():
            into[name].load_state_dict(module.state_dict())


def _labels(task: str, data_root: Path) -> tuple[str, ...]:
    makers: Mapping[str, Any] = {
        "grasp": lambda root: grasp.LABELS,
        "material": lambda root: material.kinds(MaterialPhotos(root).tiles),
        "activity": lambda root: ImuActivity(root).labels,
    }
    return tuple(makers[task](data_root / TASKS[task].split))
