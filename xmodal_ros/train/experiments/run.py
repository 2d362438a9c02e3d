"""Runs an experiment: trains every variant with every seed, then asks, measures and writes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import TEST, VALIDATION
from xmodal_ros.progress import progress_bar
from xmodal_ros.train.experiments.asking import ask
from xmodal_ros.train.experiments.catalogue import EXPERIMENTS, check_name
from xmodal_ros.train.experiments.cost import machine, measure_times, parameters
from xmodal_ros.train.experiments.experiment import Experiment, Given, Variant
from xmodal_ros.train.experiments.picture import draw
from xmodal_ros.train.experiments.simple import score_simple
from xmodal_ros.train.experiments.table import page
from xmodal_ros.train.pretrain.files import save_text
from xmodal_ros.train.touch.examples import TouchExamples, fingerprint, plan
from xmodal_ros.train.touch.pretrained import encoder_overrides, encoder_title
from xmodal_ros.train.touch.run import STARTS, TouchRun, build, prepare, train_touch
from xmodal_ros.train.touch.settings import TouchSettings, read_overrides

FACTS = ("examples", "examples_sha256", "encoder_sha256", "steps", "best_step", "seconds")
"""What the record of a run says that goes into the results."""


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
        console: Where to show progress.

    Returns:
        The files that were written: JSON, Markdown, SVG.

    Raises:
        SettingsError: there is no such experiment, or a setting is wrong.
        DataError: the data sets do not fit the experiment.
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
    lab = Laboratory(data, out, overrides, console)
    if experiment.trains:
        lab.train_all(experiment, range(seeds))
    found: dict[str, Any] = {
        "experiment": name,
        "question": experiment.question,
        "notes": list(experiment.notes),
        "data": list(given.data),
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
    return _write(results, name, found)


class Laboratory:
    """Data sets, runs of variants, and the examples they are asked about.

    Args:
        data: The data sets.
        out: Folder of the runs.
        overrides: For all variants.
        console: Where to show progress.
    """

    def __init__(
        self, data: Sequence[VisualTactile], out: Path, overrides: Sequence[str], console: Console
    ) -> None:
        self._data, self._out, self._overrides = data, out, overrides
        self._console, self._cache = console, out / "cache"
        self._examples: tuple[str, TouchExamples] | None = None

    def settings(self, variant: Variant, seed: int = 0) -> TouchSettings:
        """Of a run."""
        own = (*variant.overrides, f"schedule.seed={seed}")
        return read_overrides([*self._overrides, *encoder_overrides(variant.encoder), *own])

    def train_all(self, experiment: Experiment, seeds: Sequence[int]) -> None:
        """Train what is not trained yet, seed by seed, so that a first table is soon there."""
        runs = [(variant, seed) for seed in seeds for variant in experiment.variants]
        with progress_bar(self._console, "runs", len(runs)) as bar:
            for done, (variant, seed) in enumerate(runs):
                bar.update(done, f"{done}/{len(runs)}, {variant.title}, seed {seed}")
                self.run(variant, seed)
            bar.update(len(runs), f"{len(runs)}/{len(runs)}")

    def run(self, variant: Variant, seed: int) -> TouchRun:
        """Train, or read back what was trained.

        Raises:
            DataError: training has changed the frozen encoder.
        """
        data, settings = self._of(variant.data), self.settings(variant, seed)
        folder = self._out / "runs" / _key(data, settings)
        run = train_touch(data, folder, settings, cache=self._cache, console=self._console)
        if run.record["encoder_sha256"] != run.record["encoder_sha256_after"]:
            raise DataError("training has changed the frozen encoder", where=str(folder))
        return run

    def rows(
        self, experiment: Experiment, seeds: Sequence[int], parts: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Scores of each variant under each of its conditions, by seed, part and head."""
        for variant in experiment.variants:
            made: list[list[dict[str, Any]]] = [[] for _ in variant.conditions]
            for seed in seeds:
                run = self.run(variant, seed)
                facts = {k: run.record[k] for k in FACTS}
                for asked, condition in zip(made, variant.conditions, strict=True):
                    on = variant.data if condition.on is None else (condition.on,)
                    examples = self._asked_about(self._of(on), run)
                    found = ask(run, examples, parts, condition, self._cache)
                    asked.append({"seed": seed, "run": run.folder.name, **facts, **found})
            for asked, condition in zip(made, variant.conditions, strict=True):
                yield {"variant": variant.title, "condition": condition.title, "seeds": asked}

    def simple_rows(self, variant: Variant, parts: Sequence[str]) -> list[dict[str, Any]]:
        """Scores of simple models on the examples of a variant."""
        settings = read_overrides(["trunk.encoders=shared"], self.settings(variant))
        _, network, examples = prepare(self._of(variant.data), settings, self._cache)
        return [
            {"variant": title, "condition": "", "baseline": True, "seeds": [found]}
            for title, found in score_simple(examples, network, parts).items()
        ]

    def variants(self, experiment: Experiment) -> dict[str, Any]:
        """By title, settings, parameters and time per example, measured in one go."""
        made, networks = {}, {}
        for variant in experiment.variants:
            settings = self.settings(variant)
            network = build(settings, plan(self._of(variant.data), settings)).eval()
            networks[variant.title] = network
            plain = dataclasses.asdict(settings)
            if variant.encoder:
                plain["encoder"]["weights"] = encoder_title(variant.encoder)
            made[variant.title] = {"settings": plain, "parameters": parameters(network)}
        for title, times in measure_times(networks).items():
            made[title]["milliseconds"] = times
        return made

    def _of(self, chosen: Sequence[int]) -> list[VisualTactile]:
        return [self._data[k] for k in chosen] if chosen else list(self._data)

    def _asked_about(self, data: Sequence[VisualTactile], run: TouchRun) -> TouchExamples:
        """Examples for a run; the last ones are kept, since runs of one kind follow each other."""
        made = plan(data, run.settings)
        of_run = (run.settings.encoder, run.settings.trunk.encoders, run.record["encoder_sha256"])
        key = f"{fingerprint(made.examples)} {made.streams} {made.heads} {of_run}"
        if self._examples is None or self._examples[0] != key:
            self._examples = (key, TouchExamples(made, self._cache, run.network, run.settings))
        return self._examples[1]


def _key(data: Sequence[VisualTactile], settings: TouchSettings) -> str:
    """Name of a run's folder: the same for equal settings and data sets."""
    told = [dataclasses.asdict(settings), [str(one.root.resolve()) for one in data]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _unique(titles: Sequence[str]) -> None:
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise SettingsError(
            f"two variants are called '{twice[0]}'",
            where="--encoder",
            do="Name each encoder once, and give their folders different names",
        )


def _write(results: Path, name: str, found: Mapping[str, Any]) -> list[Path]:
    texts = {
        ".json": json.dumps(found, indent=1) + "\n",
        ".md": page(found),
        ".svg": draw(found),
    }
    paths = []
    for suffix, text in texts.items():
        path = results / f"touch-{name}{suffix}"
        save_text(path, text)
        paths.append(path)
    return paths
