"""Calibration where sensors are missing: with one temperature, and with one for each subset."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xmodal_ros.data.visual_tactile.example import TEST
from xmodal_ros.train.touch.bundle import fit_subsets
from xmodal_ros.train.touch.examples import TouchExamples
from xmodal_ros.train.touch.run import TouchRun
from xmodal_ros.train.touch.score import answers, scores


def score_subsets(run: TouchRun, examples: TouchExamples) -> dict[str, Any]:
    """Of the test part, by the streams that are there and by head: ECE before and after."""
    chosen, made = examples.indices(TEST), dict[str, Any]()
    own = {head: dict(rows) for head, rows in fit_subsets(run, examples).items()}
    for count in range(1, len(examples.streams)):
        for kept in itertools.combinations(examples.streams, count):
            there = np.all([examples.present[s][chosen] for s in kept], axis=0)
            some = chosen[there]
            drop = [s for s in examples.streams if s not in kept]
            logits = answers(run.network, examples, some, drop=drop)
            labels = {head: known[some] for head, known in examples.labels.items()}
            name = "+".join(kept)
            fitted = {h: own[h].get(name, usual) for h, usual in run.temperatures.items()}
            found = [scores(logits, labels, t) for t in (run.temperatures, fitted)]
            made[name] = {
                head: {
                    "accuracy": found[0][head]["accuracy"],
                    "temperature": fitted[head],
                    "before": found[0][head]["ece"],
                    "after": found[1][head]["ece"],
                }
                for head in found[0]
            }
    return made


def subsets_page(seeds: Sequence[Mapping[str, Any]]) -> str:
    """The table as Markdown: means over seeds, and half the range between them for ECE."""
    lines = [
        "# Confidence where sensors are missing",
        "",
        "Expected calibration error on the test part with the temperature of all streams, and "
        "with that of the streams that are there, which was fitted on the validation part with "
        f"the others hidden. Mean over {len(seeds)} seeds ± half their range.",
        "",
        "| there | head | accuracy | ECE before | ECE after |",
        "|---|---|---|---|---|",
    ]
    for name, heads in seeds[0].items():
        for head in heads:
            rows = [seed[name][head] for seed in seeds]
            cells = [f"{np.mean([row['accuracy'] for row in rows]):.3f}"]
            for key in ("before", "after"):
                values = [row[key] for row in rows]
                cells.append(f"{np.mean(values):.3f} ± {(max(values) - min(values)) / 2:.3f}")
            lines.append(f"| {name} | {head} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
