"""Trains variants of an experiment, or reads them back, and asks them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import TEST
from xmodal_ros.nn.network import Network
from xmodal_ros.progress import progress_bar
from xmodal_ros.train.experiments.asking import Answers, ask
from xmodal_ros.train.experiments.cost import measure_times, parameters
from xmodal_ros.train.experiments.experiment import Experiment, Variant
from xmodal_ros.train.experiments.seeds import BySeed, compare, score_together
from xmodal_ros.train.experiments.simple import score_simple
from xmodal_ros.train.touch.examples import (
    Plan,
    TouchExamples,
    fingerprint,
    plan,
    plan_test,
)
from xmodal_ros.train.touch.pretrained import encoder_overrides, encoder_title
from xmodal_ros.train.touch.run import TouchRun, build, prepare, train_touch
from xmodal_ros.train.touch.score import scores
from xmodal_ros.train.touch.settings import TouchSettings, read_overrides

FACTS = ("examples", "examples_sha256", "encoder_sha256", "steps", "best_step", "seconds")
"""What the record of a run says that goes into the results."""


class Laboratory:
    """Data sets, runs of variants, and the examples they are asked about.

    Args:
        data: The data sets.
        out: Folder of the runs.
        overrides: For all variants.
        console: Where to show progress.
        test_data: What is asked about in place of the data sets' test part.
    """

    def __init__(
        self,
        data: Sequence[VisualTactile],
        out: Path,
        overrides: Sequence[str],
        console: Console,
        test_data: VisualTactile | None = None,
    ) -> None:
        self._data, self._out, self._overrides = data, out, overrides
        self._console, self._cache = console, out / "cache"
        self._test_data = test_data
        self._runs: dict[Path, TouchRun] = {}
        self._examples: tuple[str, dict[str, TouchExamples]] | None = None

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
        if folder not in self._runs:
            run = train_touch(data, folder, settings, cache=self._cache, console=self._console)
            if run.record["encoder_sha256"] != run.record["encoder_sha256_after"]:
                raise DataError("training has changed the frozen encoder", where=str(folder))
            self._runs[folder] = run
        return self._runs[folder]

    def rows(
        self, experiment: Experiment, seeds: Sequence[int], parts: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Scores of each variant under each of its conditions, by seed, part and head.

        Where variants are compared, also how each differs from the first one, and what its seeds
        give together.
        """
        first: BySeed = []
        for variant in experiment.variants:
            runs = [self.run(variant, seed) for seed in seeds]
            answered: list[list[dict[str, Answers]]] = [[] for _ in variant.conditions]
            for run in runs:
                for answers, condition in zip(answered, variant.conditions, strict=True):
                    on = variant.data if condition.on is None else (condition.on,)
                    asked = self._asked_about(self._of(on), run, parts)
                    answers.append(ask(run, asked, condition, self._cache))
            for answers, condition in zip(answered, variant.conditions, strict=True):
                row: dict[str, Any] = {
                    "variant": variant.title,
                    "condition": condition.title,
                    "seeds": [
                        {"seed": seed, "run": run.folder.name}
                        | {name: run.record[name] for name in FACTS}
                        | {p: scores(x.logits, x.labels, run.temperatures) for p, x in one.items()}
                        for seed, run, one in zip(seeds, runs, answers, strict=True)
                    ],
                }
                if experiment.compared:
                    first = first or answers
                    row["together"] = score_together(answers)
                    row["difference"] = compare(first, answers)
                yield row

    def simple_rows(self, variant: Variant, parts: Sequence[str]) -> list[dict[str, Any]]:
        """Scores of simple models on the examples of a variant."""
        settings = read_overrides(["trunk.encoders=shared"], self.settings(variant))
        made, network, examples = prepare(self._of(variant.data), settings, self._cache)
        asked = self._by_part(examples, made, network, settings, parts)
        return [
            {"variant": title, "condition": "", "baseline": True, "seeds": [found]}
            for title, found in score_simple(examples, network, asked).items()
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

    def _asked_about(
        self, data: Sequence[VisualTactile], run: TouchRun, parts: Sequence[str]
    ) -> dict[str, TouchExamples]:
        """By part, the examples that have it, with what the run's encoders make of them.

        The last ones are kept, since runs of one kind follow each other.
        """
        made = plan(data, run.settings)
        of_run = (run.settings.encoder, run.settings.trunk.encoders, run.record["encoder_sha256"])
        key = f"{fingerprint(made.examples)} {made.streams} {made.heads} {of_run}"
        if self._examples is None or self._examples[0] != key:
            examples = TouchExamples(made, self._cache, run.network, run.settings)
            asked = self._by_part(examples, made, run.network, run.settings, parts)
            self._examples = (key, asked)
        return self._examples[1]

    def _by_part(
        self,
        examples: TouchExamples,
        made: Plan,
        network: Network,
        settings: TouchSettings,
        parts: Sequence[str],
    ) -> dict[str, TouchExamples]:
        """By part, where it is found: the test part may be another data set.

        One that has none of a variant's streams is no part of it.
        """
        asked = dict.fromkeys(parts, examples)
        if self._test_data is not None:
            del asked[TEST]
            if (other := plan_test(self._test_data, settings, made)).examples:
                asked[TEST] = TouchExamples(other, self._cache, network, settings)
        return asked


def _key(data: Sequence[VisualTactile], settings: TouchSettings) -> str:
    """Name of a run's folder: the same for equal settings and data sets."""
    told = [dataclasses.asdict(settings), [str(one.root.resolve()) for one in data]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
