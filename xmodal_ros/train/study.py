"""A recipe's whole study: cross-validation in the training part, then the test part, once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.eval.calibration import fit_temperature
from xmodal_ros.eval.metrics import score
from xmodal_ros.train.activity import ActivityExamples
from xmodal_ros.train.baselines import (
    forest,
    grasp_features,
    linear,
    majority,
    minirocket,
    probe_features,
    unit_features,
)
from xmodal_ros.train.examples import group_folds
from xmodal_ros.train.loop import predict
from xmodal_ros.train.recipes import find_recipe
from xmodal_ros.train.run import FOLDS, prepare, run
from xmodal_ros.train.tasks import TASKS

SEEDS = (0, 1, 2)


def study(
    name: str,
    data_root: Path,
    out: Path,
    results: Path,
    seeds: Sequence[int] = SEEDS,
) -> dict[str, Any]:
    """Cross-validate a recipe, fit its temperature on what was left out, then read the test part.

    Args:
        name: Of the recipe.
        data_root: Folder of the data sets.
        out: Folder of runs; finished ones are read back.
        results: Folder to which `<name>.json` is written.
        seeds: Networks trained on the whole training part; of the first one every fold too.
    """
    recipe = find_recipe(name)
    task = TASKS[recipe.task]
    examples = task.build(data_root, out / "cache", prepare(recipe))
    labels = examples.index.labels
    runs = [
        run(recipe, data_root, out, seed=seeds[0], fold=k, examples=examples) for k in range(FOLDS)
    ]
    left = np.concatenate([r.held_out for r in runs])
    logits = np.concatenate([r.logits for r in runs])
    temperature = fit_temperature(logits, labels[left])
    parts = [plain(softmax(r.logits, axis=1), labels[r.held_out]) for r in runs]
    test = np.flatnonzero(examples.index.test & examples.index.scored)
    finals = []
    for seed in seeds:
        found = predict(
            run(recipe, data_root, out, seed=seed, examples=examples).network, examples, test
        )
        finals.append(
            {
                "seed": seed,
                "before": plain(softmax(found, axis=1), labels[test]),
                "after": plain(softmax(found / temperature, axis=1), labels[test]),
            }
        )
    split = load_split(FOLDER / f"{task.split}.csv")
    made = {
        "recipe": dataclasses.asdict(recipe),
        "split_sha256": split.sha256,
        "cross_validation": {
            "folds": _mean(parts),
            "together": plain(softmax(logits, axis=1), labels[left]),
            "together_calibrated": plain(softmax(logits / temperature, axis=1), labels[left]),
        },
        "temperature": temperature,
        "test": finals,
    }
    write(results / f"{name}.json", made)
    return made


def baselines(task: str, data_root: Path, out: Path, results: Path) -> dict[str, Any]:
    """Score the simple models of a task in the same way, with three seeds each."""
    recipe = find_recipe(task)
    examples = TASKS[task].build(data_root, out / "cache", prepare(recipe))
    index = examples.index
    folds = group_folds(index, FOLDS, seed=0)
    train = np.flatnonzero(~index.test & index.scored)
    test = np.flatnonzero(index.test & index.scored)
    made: dict[str, Any] = {}
    for name, (model, features) in _models(task, examples, data_root, out).items():
        cv = np.zeros((len(index.test), index.targets.shape[1]))
        parts = []
        for k in range(FOLDS):
            left, kept = train[folds[train] == k], train[folds[train] != k]
            cv[left] = _probabilities(model(0), features, index.labels, kept, left)
            parts.append(plain(cv[left], index.labels[left]))
        tests = [
            {
                "seed": s,
                **plain(
                    _probabilities(model(s), features, index.labels, train, test),
                    index.labels[test],
                ),
            }
            for s in SEEDS
        ]
        validation = {"folds": _mean(parts), "together": plain(cv[train], index.labels[train])}
        made[name] = {"cross_validation": validation, "test": tests}
    write(results / f"{task}-baselines.json", made)
    return made


def _models(
    task: str, examples: Any, data_root: Path, out: Path
) -> dict[str, tuple[Callable[[int], Any], np.ndarray]]:
    count = len(examples.index.test)
    every = np.arange(count)
    nothing = np.zeros((count, 1))
    if task == "grasp":
        made = grasp_features(data_root / TASKS[task].split)
        return {
            "majority": (majority, nothing),
            "colour only": (forest, made["colour"]),
            "random forest on motion": (forest, made["motion"]),
        }
    if task == "material":
        return {
            "majority": (majority, nothing),
            "linear probe": (linear, probe_features(examples, data_root, out / "cache")),
        }
    assert isinstance(examples, ActivityExamples)
    windows = np.zeros((count, examples.settings.samples, 6), np.float32)
    scored = every[examples.index.scored]
    windows[scored] = examples.windows(scored, None)
    last = windows[:, -round(examples.settings.rate_hz) :].transpose(0, 2, 1)  # one second
    features = np.zeros((count, unit_features(windows[:1], examples.settings.rate_hz).shape[1]))
    features[scored] = unit_features(windows[scored], examples.settings.rate_hz)
    return {
        "majority": (majority, nothing),
        "random forest": (forest, features),
        "MiniRocket": (minirocket, last),
    }


def _probabilities(
    model: Any, features: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    model.fit(features[train], labels[train])
    made = np.zeros((len(test), labels.max() + 1))
    made[:, model.classes_] = model.predict_proba(features[test])
    return made


def _mean(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}


def plain(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Scores as plain numbers for JSON."""
    made = dataclasses.asdict(score(probabilities, labels))
    return {k: v for k, v in made.items() if k != "confusion"}


def write(path: Path, values: Any) -> None:
    """Write JSON, readable and stable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(values, indent=1, sort_keys=True, default=float) + "\n", encoding="utf-8"
    )
