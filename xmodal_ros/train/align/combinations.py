"""How vision and IMU are best combined: fixed weights, a gate, concatenation, CEC; one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.eval.metrics import score
from xmodal_ros.train.align.combine import CAMERA, IMU, STREAMS, CombineSettings, combine
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.losses import turned_windows
from xmodal_ros.train.align.peers import forest, majority, unit_features
from xmodal_ros.train.align.run import AlignRun, align, require_images
from xmodal_ros.train.align.score import classify, embed, predicted, score_logits
from xmodal_ros.train.align.settings import AlignSettings, read_overrides

WEIGHTS = tuple(k / 10 for k in range(11))
"""Of vision, in the sweep; the rest is the IMU's."""
PROBED = 5000
"""Windows that the linear classifier of a fixed weight is fitted on."""
PARTS = (VALIDATION, TEST)


ALIGNED = "both-LayerNorm"
"""Folder of the alignment's runs, which are those of the table of losses."""


@dataclass(frozen=True)
class Row:
    """A head over some streams."""

    title: str
    streams: tuple[str, ...] = STREAMS
    fusion: str = "cec"
    modality_dropout: float = 0.15
    encoders: str = ALIGNED
    overrides: tuple[str, ...] = ()
    """Of the alignment."""


FIXED = ("both-sensor-frame", ("imu.frame=sensor", "windows.turned=0"))
"""The IMU as it is mounted, here and nowhere else."""
ROWS = (
    Row("vision alone", (CAMERA,)),
    Row("IMU alone", (IMU,)),
    Row("learned gate", fusion="gate"),
    Row("concatenation, MLP", fusion="concat"),
    Row("CEC"),
    Row("CEC, no modality dropout", modality_dropout=0.0),
    Row("IMU alone, sensor frame", (IMU,), "cec", 0.15, *FIXED),
    Row("CEC, sensor frame", STREAMS, "cec", 0.15, *FIXED),
)


def compare_combinations(
    examples: AlignExamples,
    names: Sequence[str],
    out: Path,
    settings: AlignSettings,
    seeds: int = 3,
    *,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train each combination beside each seed's encoders, then read validation and test part.

    Args:
        examples: Of the data sets.
        names: Of the data sets.
        out: Folder of the runs; finished ones are read back.
        settings: Of the alignment.
        seeds: Runs of each row.
        console: Where to show progress.

    Raises:
        DataError: no window has an image.
    """
    require_images(examples, names)
    asked = Asked(examples)
    made: dict[str, list[dict[str, Any]]] = {}
    for seed in range(seeds):
        runs: dict[str, AlignRun] = {}
        for row in ROWS:
            own = read_overrides([*row.overrides, f"schedule.seed={seed}"], settings)
            folder = out / f"{row.encoders}-{seed}"
            run = align(examples, names, folder, own, console=console)
            runs[row.encoders] = run
            options = combine_settings(row, settings, seed)
            folder = out / f"combined-{row.title.replace(', ', '-').replace(' ', '-')}-{seed}"
            found = combine(run, examples, folder, options, console=console)
            scores = {
                part: {
                    how: score_logits(
                        found.logits(view, asked.chosen[part], drop) / found.record["temperature"],
                        asked.labels(part),
                    )
                    for how, (view, drop) in asked.ways(row.streams).items()
                }
                for part in PARTS
            }
            made.setdefault(row.title, []).append({"seed": seed, **scores})
        for title, scores in sweep(runs[ALIGNED], asked).items():
            made.setdefault(title, []).append({"seed": seed, **scores})
        made.setdefault("IMU alone, the alignment's classifier", []).append(
            {"seed": seed, **classifier(runs[ALIGNED], asked)}
        )
    return {
        "data": list(names),
        "classes": list(examples.classes),
        "windows": {part: len(asked.chosen[part]) for part in PARTS},
        "rows": [
            *(
                {"variant": title, "condition": "", "seeds": found}
                for title, found in made.items()
            ),
            *simple_rows(asked, settings),
        ],
    }


def combine_settings(row: Row, settings: AlignSettings, seed: int) -> CombineSettings:
    """Settings of a row's head."""
    base = CombineSettings()
    return CombineSettings(
        trunk=replace(base.trunk, dim=settings.vision.dim, fusion=row.fusion),
        schedule=replace(base.schedule, seed=seed, modality_dropout=row.modality_dropout),
        streams=row.streams,
    )


class Asked:
    """Windows with label and image that all rows are asked about, as mounted and turned."""

    def __init__(self, examples: AlignExamples) -> None:
        self.examples = examples
        self.chosen = {p: examples.indices(p, labelled=True, seen=True) for p in PARTS}
        self.train = examples.indices(TRAIN, labelled=True, seen=True)
        self.turned = examples.with_windows(turned_windows(examples, np.arange(len(examples))))

    def labels(self, part: str) -> np.ndarray:
        """Of the part's windows `(N,) int64`."""
        found: np.ndarray = self.examples.labels[self.chosen[part]]
        return found

    def ways(self, streams: Sequence[str]) -> dict[str, tuple[AlignExamples, tuple[str, ...]]]:
        """By name, what is asked about and which streams are left out."""
        made: dict[str, tuple[AlignExamples, tuple[str, ...]]] = {
            "as mounted": (self.examples, ())
        }
        if IMU in streams:
            made["turned"] = (self.turned, ())
        if set(streams) == set(STREAMS):
            made |= {f"no {s}": (self.examples, (s,)) for s in STREAMS}
        return made


def sweep(run: AlignRun, asked: Asked) -> dict[str, dict[str, Any]]:
    """Fixed weights of both unit-length embeddings, and a linear classifier of their sum."""
    examples = asked.examples
    vision = examples.vision_embeddings(run.model.vision).numpy()
    imu = embed(run.model, examples.windows)
    turned = embed(run.model, asked.turned.windows)
    drawn = np.random.default_rng(0).permutation(asked.train)[:PROBED]
    made = {}
    for weight in WEIGHTS:
        seen = weight * vision
        felt = {"as mounted": seen + (1 - weight) * imu, "turned": seen + (1 - weight) * turned}
        model = LogisticRegression(C=1.0, max_iter=300, class_weight="balanced")
        # Of both mountings, since the other rows have learned from turned windows, too.
        both = np.concatenate([x[drawn] for x in felt.values()])
        model.fit(both, np.tile(examples.labels[drawn], 2))
        made[f"fixed weights {100 * weight:.0f}:{100 - 100 * weight:.0f}"] = {
            part: {
                how: score(model.predict_proba(x[rows]), asked.labels(part)).plain()
                for how, x in felt.items()
            }
            for part, rows in asked.chosen.items()
        }
    return made


def classifier(run: AlignRun, asked: Asked) -> dict[str, Any]:
    """The alignment's own classifier of the IMU."""
    return {
        part: {
            how: score_logits(
                classify(run.model, view.windows[rows]) / run.record["temperature"],
                asked.labels(part),
            )
            for how, view in (("as mounted", asked.examples), ("turned", asked.turned))
        }
        for part, rows in asked.chosen.items()
    }


def simple_rows(asked: Asked, settings: AlignSettings) -> list[dict[str, Any]]:
    """Majority, a forest on statistics of windows, a linear probe of frozen images, and both."""
    examples = asked.examples
    felt = unit_features(examples.windows, settings.imu.rate_hz)
    seen = examples.pooled()
    models = {
        "majority": (majority(0), felt[:, :1]),
        "linear probe, vision's frozen features": (_probe(), seen),
        "random forest, IMU statistics": (forest(0), felt),
        "random forest, both side by side": (forest(0), np.hstack([seen, felt])),
    }
    made = []
    for title, (model, features) in models.items():
        model.fit(features[asked.train], examples.labels[asked.train])
        scores = {
            part: {
                "as mounted": score(
                    predicted(model, features[rows], len(examples.classes)), asked.labels(part)
                ).plain()
            }
            for part, rows in asked.chosen.items()
        }
        made.append(
            {"variant": title, "condition": "", "baseline": True, "seeds": [{"seed": 0, **scores}]}
        )
    return made


def _probe() -> Any:
    model = LogisticRegression(C=0.1, max_iter=200, class_weight="balanced")
    return make_pipeline(StandardScaler(), model)
