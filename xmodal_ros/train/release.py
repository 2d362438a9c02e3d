"""Everything behind the bundle: studies, baselines, bundle, backends, serving check, card."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.core.types import Observation
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.export import measure_backends, record_backends
from xmodal_ros.runtime.manifest import CARD
from xmodal_ros.train.assemble import assemble
from xmodal_ros.train.card import write_card
from xmodal_ros.train.serving import ITEMS, answers
from xmodal_ros.train.study import SEEDS, baselines, plain, study, write

ROWS = {
    "grasp": {
        "grasp": "ours: CEC over patch tokens",
        "grasp-pooled": "CEC over one pooled token",
        "grasp-no-cec": "no CEC: mean of tokens",
    },
    "activity": {"activity": "ours: IMU transformer"},
    "material": {
        "material": "ours: CEC over one token",
        "material-no-cec": "no CEC: the token alone",
    },
}
"""What the card lists: recipes and their titles by task, the bundle's own first."""
EXAMPLES = 8
"""Observations on which backends are measured."""


def release(
    data_root: Path, out: Path, results: Path, path: Path, seeds: tuple[int, ...] = SEEDS
) -> Bundle:
    """Train and score what the card lists, and write the bundle with it.

    Finished runs are read back.

    Args:
        data_root: Folder of the data sets.
        out: Folder of runs.
        results: Folder of JSON files.
        path: Folder of the bundle.
        seeds: Networks per recipe; the first one's is in the bundle.
    """
    for task, titles in ROWS.items():
        for name in titles:
            study(name, data_root, out, results, seeds)
        if not (results / f"{task}-baselines.json").exists():
            baselines(task, data_root, out, results)
    names = [next(iter(titles)) for titles in ROWS.values()]
    bundle = assemble(names, data_root, out, results, path, write_card(results, ROWS), seeds[0])
    bundle = record_backends(bundle, measure_backends(bundle, examples(bundle, data_root)))
    check(bundle, data_root, results)
    (path / CARD).write_text(write_card(results, ROWS), encoding="utf-8")
    return bundle


def examples(bundle: Bundle, data_root: Path) -> list[Observation]:
    """Observations with every stream of the bundle, put together from test items of all tasks."""
    parts = [
        list(zip(range(EXAMPLES), items(bundle, data_root), strict=False))
        for items in ITEMS.values()
    ]
    made = []
    for together in zip(*parts, strict=True):
        streams = {
            k: v for _, (o, _) in together for k, v in o.streams.items() if k in bundle.inputs
        }
        made.append(dataclasses.replace(together[0][1][0], streams=streams, missing={}))
    return made


def check(bundle: Bundle, data_root: Path, results: Path) -> None:
    """Score the test part through synchronizer and Predictor and write `serving.json`."""
    found = answers(
        bundle, data_root, InferenceSettings(backend="torch", precision="fp32", threads=2)
    )
    made = {
        head: {
            "served": plain(probabilities, labels),
            "trained": dict(bundle.metrics[head]),
        }
        for head, (probabilities, labels) in found.items()
    }
    write(
        results / "serving.json",
        {"bundle": bundle.id, "weights_sha256": bundle.weights_hash, "heads": made},
    )
