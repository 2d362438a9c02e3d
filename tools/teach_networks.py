"""Networks that were trained without some materials, for `teach_study.py`."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xmodal_ros.core.probabilities import softmax
from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.eval.calibration import fit_temperature
from xmodal_ros.runtime.ood import fit_statistics
from xmodal_ros.runtime.teach import HEAD
from xmodal_ros.train.touch.bundle import describe
from xmodal_ros.train.touch.examples import Plan, TouchExamples, plan
from xmodal_ros.train.touch.fit import dropped, fit
from xmodal_ros.train.touch.run import build, open_datasets
from xmodal_ros.train.touch.settings import TouchSettings, read_overrides

RECIPE = ("schedule.per_group=6", "schedule.batch=32", "schedule.steps=500")
FOLDS = 5
HELD = "held_"
"""Before the part of an example whose material is left out."""

Made = dict[str, Any]
"""What is kept of one network; arrays have a row per example, see `_train`."""


def trained(
    cell: Path, encoder: str, cache: Path, out: Path, seed: int
) -> tuple[Path, list[Path]]:
    """Train what is not there.

    Returns:
        File of the network that knows all materials, and of those that lack some.
    """
    names = ["all", *(f"fold{number}" for number in range(FOLDS))]
    files = [out / f"seed{seed}-{name}.npz" for name in names]
    if not all(file.exists() for file in files):
        settings = read_overrides([*RECIPE, f"encoder.weights={encoder}", f"schedule.seed={seed}"])
        made = plan(open_datasets([cell], settings), settings)
        known = made.heads[HEAD]
        parts = np.random.default_rng(0).permutation(len(known)).reshape(FOLDS, -1)
        for file, part in zip(files, [[], *parts.tolist()], strict=True):
            if not file.exists():
                _train(file, settings, made, {known[k] for k in part}, cache)
    return files[0], files[1:]


def _train(file: Path, settings: TouchSettings, made: Plan, held: set[str], cache: Path) -> None:
    """Train without some materials, and keep what the classifier reads and answers."""
    examples = tuple(
        dataclasses.replace(e, part=HELD + e.part) if e.labels.get(HEAD) in held else e
        for e in made.examples
    )
    labels = tuple(name for name in made.heads[HEAD] if name not in held)
    left = dataclasses.replace(made, examples=examples, heads={**made.heads, HEAD: labels})
    network = build(settings, left)
    data = TouchExamples(left, cache, network, settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    state = file.with_suffix(".ckpt")
    hide = functools.partial(dropped, share=settings.schedule.modality_dropout)
    fit(network, data, settings.schedule, state, hide=hide)
    network.eval()
    has = np.flatnonzero([HEAD in e.labels for e in data.plan.examples])
    features = describe(network, data, has)[0][HEAD]
    with torch.inference_mode():
        logits = network.heads[HEAD].classifier(torch.from_numpy(features)).numpy()
    truth, parts = data.labels[HEAD][has], data.parts[has]
    validation = parts == VALIDATION
    np.savez(
        file,
        features=features,
        logits=logits,
        labels=truth,
        parts=parts,
        names=np.array([data.names[k] for k in has]),
        materials=np.array([data.plan.examples[k].labels[HEAD] for k in has]),
        held=np.array(sorted(held)),
        temperature=fit_temperature(logits[validation], truth[validation]),
    )
    state.unlink(missing_ok=True)


def read(file: Path) -> Made:
    """What was kept of a network, with calibrated probabilities and the statistics of a bundle."""
    with np.load(file) as stored:
        made: Made = dict(stored)
    made["episodes"] = np.array([str(name).partition("@")[0] for name in made["names"]])
    made["probabilities"] = softmax(made["logits"] / made["temperature"])
    seen = made["parts"] == TRAIN
    made["statistics"] = fit_statistics(made["features"][seen], made["labels"][seen])
    return made
