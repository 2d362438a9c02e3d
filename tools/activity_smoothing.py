"""Measure what smoothing over time makes of a bundle's activities: steadier and later labels.

python tools/activity_smoothing.py BUNDLE ROOT

ROOT is a folder of recordings with `labels/activity`, `split.csv` and `settings.yaml`, as
`xmodal sim dataset` writes it. Predictions are made once, as a node makes them with the IMU as
anchor; every variant of the settings `smoothing.*` then filters the same ones. Writes
docs/results/activity-smoothing.json and .md.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout that is not installed

from xmodal_ros.core.errors import DataError  # noqa: E402
from xmodal_ros.core.settings import InferenceSettings, Settings  # noqa: E402
from xmodal_ros.core.smoothing import TASK, Smoother, SmoothingSettings  # noqa: E402
from xmodal_ros.core.throttle import Throttle  # noqa: E402
from xmodal_ros.core.types import Order, Prediction  # noqa: E402
from xmodal_ros.data.inertial import read_tracks  # noqa: E402
from xmodal_ros.data.labels import label_tracks  # noqa: E402
from xmodal_ros.data.recording import Recording  # noqa: E402
from xmodal_ros.data.replay import observations  # noqa: E402
from xmodal_ros.data.settings_file import load_settings  # noqa: E402
from xmodal_ros.data.splits import load_split  # noqa: E402
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION  # noqa: E402
from xmodal_ros.eval.metrics import score  # noqa: E402
from xmodal_ros.runtime.bundle import Bundle  # noqa: E402
from xmodal_ros.runtime.predictor import Predictor  # noqa: E402
from xmodal_ros.train.align.order import counted_rates  # noqa: E402

NAME = "activity-smoothing"
RATE_HZ = 10.0
EVIDENCE_S = "evidence_s"
"""Of an order that is counted from the training part; all else in `VARIANTS` is a setting that
differs from its default."""
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"margin": 0.2},
    {"margin": 0.4},
    {"hold_s": 0.2},
    *({"method": "exponential", "time_constant_s": t} for t in (0.1, 0.2, 0.5)),
    *({"method": "hmm", EVIDENCE_S: t} for t in (0.1, 0.2, 0.4, 0.8)),
)


class Run(NamedTuple):
    """What was predicted over one recording, and what was true."""

    predictions: Sequence[Prediction]
    truth: np.ndarray
    """`(N,) int64` class indices, negative where none is known."""


def main(
    bundle: Annotated[Path, typer.Argument(help="With a head of the task activity.")],
    root: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    test: Annotated[
        bool, typer.Option(help="Read the test part, too; not while anything is still chosen.")
    ] = True,
    head: Annotated[str, typer.Option(help="Name of the head.")] = TASK,
    out: Annotated[Path, typer.Option(help="Folder of the table.")] = ROOT / "docs" / "results",
) -> None:
    """Predict, filter, and write."""
    parts = [VALIDATION, TEST] if test else [VALIDATION]
    split = load_split(root / "split.csv").rows
    settings = load_settings(root / "settings.yaml", ["sync.anchor=imu"])
    loaded = Bundle.load(bundle)
    used = settings.reading(loaded.spec.heads[head].streams)
    labels = loaded.heads[head].labels
    rates = counted_rates(read_tracks(root).part(TRAIN), labels)
    rows = {}
    with Predictor(loaded, InferenceSettings(threads=1)) as predictor:
        for part in parts:
            files = [root / r.file for r in split if r.part == part]
            runs = [predicted(f, used, predictor, head) for f in track(files, part)]
            rows[part] = [measured(runs, head, v, rates) for v in track(VARIANTS, "variants")]
    found = {"bundle": loaded.id, "data": root.name, "rate_hz": RATE_HZ, "rows": rows}
    (out / f"{NAME}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (out / f"{NAME}.md").write_text(page(found), encoding="utf-8")


def predicted(file: Path, settings: Settings, predictor: Predictor, head: str) -> Run:
    """Predict one recording at `RATE_HZ`.

    Raises:
        DataError: it cannot be read, or has no labels of the head's task.
    """
    used, windows = predictor.bundle.fit(settings)
    throttle = Throttle()
    with Recording(file) as recording:
        labels = label_tracks(recording).get(TASK)
        if not labels:
            raise DataError(f"has no labels/{TASK}", where=str(file))
        found = [
            predictor.predict(observation)
            for observation in observations(recording, used, windows)
            if throttle.admits(observation.stamp_ns, RATE_HZ)
        ]
    answered = [p for p in found if head in p.heads]
    names = predictor.bundle.heads[head].labels
    return Run(answered, labels.indices([p.stamp_ns for p in answered], names))


def measured(
    runs: Sequence[Run], head: str, variant: Mapping[str, Any], rates: np.ndarray
) -> dict[str, Any]:
    """Scores of all runs with one variant of the settings, or of an order with `rates`."""
    probabilities, classes, truth = [], [], []
    seconds, changes, true_changes = 0.0, 0, 0
    settings = {name: value for name, value in variant.items() if name != EVIDENCE_S}
    for run in runs:
        smoother = Smoother(SmoothingSettings(**settings))
        answered = list(run.predictions)
        if EVIDENCE_S in variant:
            order = Order(rates, variant[EVIDENCE_S])
            answered = [_with_order(p, head, order) for p in answered]
        heads = [smoother.apply(p).heads[head] for p in answered]
        chosen, known = np.array([h.class_id for h in heads]), run.truth >= 0
        probabilities += [h.probabilities for h, k in zip(heads, known, strict=True) if k]
        classes.append(chosen[known])
        truth.append(run.truth[known])
        between = known[1:] & known[:-1]
        changes += int((np.diff(chosen) != 0)[between].sum())
        true_changes += int((np.diff(run.truth) != 0)[between].sum())
        seconds += len(run.predictions) / RATE_HZ
    scores = score(np.stack(probabilities), np.concatenate(truth), np.concatenate(classes))
    return {
        "settings": dict(variant),
        "answers": scores.count,
        "balanced_accuracy": scores.balanced_accuracy,
        "accuracy": scores.accuracy,
        "nll": scores.nll,
        "transitions_per_minute": 60 * changes / seconds,
        "true_transitions_per_minute": 60 * true_changes / seconds,
    }


def _with_order(prediction: Prediction, head: str, order: Order) -> Prediction:
    answer = dataclasses.replace(prediction.heads[head], order=order)
    return dataclasses.replace(prediction, heads={**prediction.heads, head: answer})


def page(found: Mapping[str, Any]) -> str:
    """The tables, in Markdown."""
    lines = [
        "# Activities over time",
        "",
        f"Answers of `{found['bundle']}` at {found['rate_hz']:g} Hz over recordings of "
        f"`{found['data']}`, each against the label at its own stamp: what makes labels steadier "
        "makes them later.",
        "Written by `python tools/activity_smoothing.py`; what is not named has its default. "
        f"With `{EVIDENCE_S}` the order of activities is counted from the training part.",
    ]
    for part in reversed(found["rows"]):
        rows = found["rows"][part]
        true = rows[0]["true_transitions_per_minute"]
        lines += [
            "",
            f"## {part.capitalize()} part",
            "",
            f"Answers: {rows[0]['answers']}. True transitions per minute: {true:.1f}.",
            "",
            "| `smoothing.*` | balanced accuracy | accuracy | NLL | transitions per minute |",
            "|---|---|---|---|---|",
        ]
        for row in rows:
            named = ", ".join(f"{k} {v}" for k, v in row["settings"].items()) or "none"
            lines.append(
                f"| {named} | {row['balanced_accuracy']:.3f} | {row['accuracy']:.3f} | "
                f"{row['nll']:.3f} | {row['transitions_per_minute']:.1f} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)
