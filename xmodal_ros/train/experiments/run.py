"""Runs an experiment: trains every variant with every seed, then asks, measures and writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import TEST, VALIDATION
from xmodal_ros.train.experiments.catalogue import EXPERIMENTS, check_name
from xmodal_ros.train.experiments.cost import machine
from xmodal_ros.train.experiments.experiment import Experiment, Given
from xmodal_ros.train.experiments.laboratory import Laboratory
from xmodal_ros.train.experiments.picture import draw
from xmodal_ros.train.experiments.table import page, stem
from xmodal_ros.train.pretrain.files import save_text
from xmodal_ros.train.touch.examples import plan, plan_test
from xmodal_ros.train.touch.pretrained import encoder_title
from xmodal_ros.train.touch.run import STARTS
from xmodal_ros.train.touch.settings import TouchSettings, read_overrides


def run_experiment(
    name: str,
    data: Sequence[VisualTactile],
    out: Path,
    results: Path,
    overrides: Sequence[str] = (),
    *,
    encoders: Sequence[str] = (),
    mvitac: str = "",
    seeds: int = 3,
    test: bool = True,
    test_data: VisualTactile | None = None,
    console: Console | None = None,
) -> list[Path]:
    """Run an experiment; one that was killed continues.

    Args:
        name: One of `EXPERIMENTS`.
        data: From `touch.run.open_datasets`.
        out: Folder of the runs, which experiments share: equal runs are trained once.
        results: Folder of table and picture.
        overrides: Of `TouchSettings`, for all variants.
        encoders: What `xmodal pretrain` wrote; the first is used where a variant does not name
            one.
        mvitac: The same, with MViTac's objective.
        seeds: Runs of each variant, with the seeds from 0 on.
        test: Whether the test part is read, once, when all is trained; else validation only.
        test_data: All of it is the test part, in place of that of `data`.
        console: Where to show progress.

    Returns:
        The files that were written: JSON, Markdown, SVG.

    Raises:
        SettingsError: there is no such experiment, or a setting is wrong.
        DataError: the data sets do not fit the experiment, or each other.
    """
    check_name(name)
    shared = read_overrides(overrides)
    if shared.encoder.weights not in STARTS:
        raise SettingsError(
            "a file here would be every variant's",
            where="encoder.weights",
            expected="one of " + ", ".join(STARTS),
            do="Name it by --encoder",
        )
    console = console or Console(quiet=True)
    given = Given(
        data=tuple(one.root.name for one in data),
        streams=tuple(frozenset(s for e in one.examples for s in e.streams) for one in data),
        settings=shared,
        encoders=tuple(encoders),
        mvitac=mvitac,
    )
    experiment = EXPERIMENTS[name](given)
    _unique([variant.title for variant in experiment.variants])
    if test_data is not None:
        _check_test_data(test_data, data, experiment, shared, test)
    lab = Laboratory(data, out, overrides, console, test_data)
    if experiment.trains:
        lab.train_all(experiment, range(seeds))
    found: dict[str, Any] = {
        "experiment": name,
        "question": experiment.question,
        "notes": list(experiment.notes),
        "data": list(given.data),
        "test_data": test_data.root.name if test_data else "",
        "overrides": list(overrides),
        "encoders": [encoder_title(encoder) for encoder in (*encoders, mvitac) if encoder],
        "parts": [VALIDATION, TEST] if test else [VALIDATION],
        "rows": [],
    }
    if experiment.trains:
        found["rows"] = list(lab.rows(experiment, range(seeds), found["parts"]))
    if experiment.baselines:
        found["rows"] += lab.simple_rows(experiment.variants[0], found["parts"])
    found["machine"] = machine()
    found["variants"] = lab.variants(experiment)
    return _write(results, found)


def _unique(titles: Sequence[str]) -> None:
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise SettingsError(
            f"two variants are called '{twice[0]}'",
            where="--encoder",
            do="Name each encoder once, and give their folders different names",
        )


def _check_test_data(
    test_data: VisualTactile,
    data: Sequence[VisualTactile],
    experiment: Experiment,
    settings: TouchSettings,
    test: bool,
) -> None:
    where = f"--test-data {test_data.root}"
    if test_data.root.resolve() in {one.root.resolve() for one in data}:
        raise DataError("is trained on", where=where, expected="another data set")
    chooses = any(c.on is not None for v in experiment.variants for c in v.conditions)
    if chooses or not experiment.trains or not test:
        raise SettingsError(
            "nothing would be asked about it",
            where=where,
            expected="an experiment that asks about the test part of what it was trained on",
            do="Leave it out",
        )
    made = plan(data, settings)
    if not plan_test(test_data, settings, made).examples:
        raise DataError(
            "no example has a label and a stream of what is trained on",
            where=where,
            expected=f"some of {', '.join(made.heads)} on some of {', '.join(made.streams)}",
        )


def _write(results: Path, found: Mapping[str, Any]) -> list[Path]:
    texts = {
        ".json": json.dumps(found, indent=1) + "\n",
        ".md": page(found),
        ".svg": draw(found),
    }
    paths = []
    for suffix, text in texts.items():
        path = results / f"{stem(found)}{suffix}"
        save_text(path, text)
        paths.append(path)
    return paths
