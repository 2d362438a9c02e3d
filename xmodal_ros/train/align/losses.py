"""What the supervised loss and the alignment give, each alone and both: the first table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xmodal_ros.data.inertial.augment import remount
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.eval.metrics import score
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.peers import forest, majority, unit_features
from xmodal_ros.train.align.run import AlignRun, align, require_images
from xmodal_ros.train.align.score import (
    class_recall,
    classify,
    describe,
    embed,
    modality_gap,
    predicted,
    prototypes,
    recall,
    score_logits,
)
from xmodal_ros.train.align.settings import AlignSettings, read_overrides

LOSSES = {
    "supervised": ("loss.contrastive=0",),
    "InfoNCE": ("loss.supervised=0",),
    "both": (),
}
NORMS = {"LayerNorm": "layer", "BatchNorm": "batch"}
ONCE = "BatchNorm"
"""Rows that are trained with the first seed alone: they only ask whether the norm matters."""
PROBED = 3000
"""Windows that a linear probe is fitted on."""
PROTOTYPE_TEMPERATURE = 0.07


def compare_losses(
    examples: AlignExamples,
    names: Sequence[str],
    out: Path,
    settings: AlignSettings,
    seeds: int = 3,
    *,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train each loss with each normalization, then read validation and test part.

    Args:
        examples: Of the data sets.
        names: Of the data sets.
        out: Folder of the runs; finished ones are read back.
        settings: What all rows share.
        seeds: Runs of each row.
        console: Where to show progress.

    Raises:
        DataError: no window has an image.
    """
    require_images(examples, names)
    runs: dict[str, list[AlignRun]] = {}
    for seed in range(seeds):
        for row, overrides in rows().items():
            if seed and ONCE in row:
                continue
            own = read_overrides([*overrides, f"schedule.seed={seed}"], settings)
            folder = out / f"{row.replace(', ', '-').replace(' ', '-')}-{seed}"
            run = align(examples, names, folder, own, console=console)
            runs.setdefault(row, []).append(run)
    found = [
        {"variant": row, "condition": "", "seeds": [measure(run, examples) for run in together]}
        for row, together in runs.items()
    ]
    return {
        "data": list(names),
        "classes": list(examples.classes),
        "windows": {
            part: len(examples.indices(part, labelled=True, seen=True))
            for part in (VALIDATION, TEST)
        },
        "settings": runs["both, LayerNorm"][0].record["settings"],
        "vision_sha256": runs["both, LayerNorm"][0].record["vision_sha256"],
        "rows": [*found, *simple_rows(examples, settings)],
    }


def rows() -> dict[str, tuple[str, ...]]:
    """Overrides by row."""
    return {
        f"{loss}, {norm}": (*overrides, f"imu.norm={name}")
        for norm, name in NORMS.items()
        for loss, overrides in LOSSES.items()
    }


def measure(run: AlignRun, examples: AlignExamples) -> dict[str, Any]:
    """Scores by part: of the classifier, a linear probe, and vision's class prototypes."""
    made: dict[str, Any] = {
        "seed": run.settings.schedule.seed,
        "steps": run.record["steps"],
        "best_step": run.record["best_step"],
        "contrast_temperature": run.record["contrast_temperature"],
    }
    vision = examples.vision_embeddings(run.model.vision).numpy()
    train = examples.indices(TRAIN, labelled=True, seen=True)
    drawn = np.random.default_rng(0).permutation(train)[:PROBED]
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, C=0.1))
    probe.fit(describe(run.model, turned_windows(examples, drawn)), examples.labels[drawn])
    means = prototypes(vision[train], examples.labels[train], len(examples.classes))
    for part in (VALIDATION, TEST):
        chosen = examples.indices(part, labelled=True, seen=True)
        labels, sessions = examples.labels[chosen], examples.sessions[chosen]
        scores: dict[str, Any] = {}
        ways = {"": examples.windows[chosen], ", turned": turned_windows(examples, chosen)}
        for how, windows in ways.items():
            said = probe.predict_proba(describe(run.model, windows))
            scores[f"probe{how}"] = score(said, labels).plain()
            if run.settings.loss.supervised:
                logits = classify(run.model, windows) / run.record["temperature"]
                scores[f"classifier{how}"] = score_logits(logits, labels)
            if run.settings.loss.contrastive:
                near = embed(run.model, windows) @ means.T / PROTOTYPE_TEMPERATURE
                scores[f"prototypes{how}"] = score(softmax(near, axis=1), labels).plain()
        imu = embed(run.model, examples.windows[chosen])
        scores["space"] = {"modality_gap": modality_gap(imu, vision[chosen])}
        for k in (1, 5):
            scores["space"][f"recall@{k}"] = recall(imu, vision[chosen], sessions, k)
            found = class_recall(imu, vision[chosen], labels, sessions, k)
            scores["space"] |= {f"class_{name}@{k}": value for name, value in found.items()}
        made[part] = scores
    return made


def simple_rows(examples: AlignExamples, settings: AlignSettings) -> list[dict[str, Any]]:
    """The majority and a forest on statistics of windows, fitted on turned ones or not."""
    train = examples.indices(TRAIN, labelled=True)
    rate_hz = settings.imu.rate_hz
    made = []
    for title, model, given in (
        ("majority", majority, examples.windows[train]),
        ("random forest", forest, examples.windows[train]),
        ("random forest, turned in training", forest, turned_windows(examples, train)),
    ):
        fitted = model(0).fit(unit_features(given, rate_hz), examples.labels[train])
        scores: dict[str, Any] = {"seed": 0}
        for part in (VALIDATION, TEST):
            chosen = examples.indices(part, labelled=True, seen=True)
            ways = {"": examples.windows[chosen], ", turned": turned_windows(examples, chosen)}
            features = {how: unit_features(windows, rate_hz) for how, windows in ways.items()}
            scores[part] = {
                f"classifier{how}": score(
                    predicted(fitted, x, len(examples.classes)), examples.labels[chosen]
                ).plain()
                for how, x in features.items()
            }
        made.append({"variant": title, "condition": "", "baseline": True, "seeds": [scores]})
    return made


def turned_windows(examples: AlignExamples, chosen: np.ndarray) -> np.ndarray:
    """Windows `(n, T, 6)` of examples `(n,)`, each turned at random, always the same way."""
    return remount(examples.windows[chosen], np.random.default_rng(0), 1.0, 0.0)
