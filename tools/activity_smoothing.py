"""Measure what smoothing over time makes of a bundle's activities: steadier and later labels.

python tools/activity_smoothing.py BUNDLE ROOT

ROOT is a folder of recordings with `labels/activity`, `split.csv` and `settings.yaml`, as
`xmodal sim dataset` writes it. Predictions are made once, as a node makes them with the IMU as
anchor; every variant of the settings `smoothing.*` then filters the same ones. Writes
docs/results/activity-smoothing.json and .md.
"""

from __future__ import annotations

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
from xmodal_ros.core.types import Prediction  # noqa: E402
from xmodal_ros.data.labels import label_tracks  # noqa: E402
from xmodal_ros.data.recording import Recording  # noqa: E402
from xmodal_ros.data.replay import observations  # noqa: E402
from xmodal_ros.data.settings_file import load_settings  # noqa: E402
from xmodal_ros.data.splits import load_split  # noqa: E402
from xmodal_ros.eval.metrics import score  # noqa: E402
from xmodal_ros.runtime.bundle import Bundle  # noqa: E402
from xmodal_ros.runtime.predictor import Predictor  # noqa: E402

NAME = "activity-smoothing"
RATE_HZ = 10.0
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"margin": 0.2},
    {"margin": 0.4},
    {"hold_s": 0.2},
    *({"method": "exponential", "time_constant_s": t} for t in (0.1, 0.2, 0.5)),
    *({"method": "hmm", "time_constant_s": t} for t in (0.1, 0.2, 0.5)),
)
"""Settings that differ from the defaults."""


class Run(NamedTuple):
    """What was predicted over one recording, and what was true."""

    predictions: Sequence[Prediction]
    truth: np.ndarray
    """`(N,) int64` class indices, negative where none is known."""


def main(
    bundle: Annotated[Path, typer.Argument(help="With a head of the task activity.")],
    root: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    part: Annotated[str, typer.Option(help="Of the split.")] = "validation",
    head: Annotated[str, typer.Option(help="Name of the head.")] = TASK,
    out: Annotated[Path, typer.Option(help="Folder of the table.")] = ROOT / "docs" / "results",
) -> None:
    """Predict, filter, and write."""
    files = [root / r.file for r in load_split(root / "split.csv").rows if r.part == part]
    settings = load_settings(root / "settings.yaml", ["sync.anchor=imu"])
    loaded = Bundle.load(bundle)
    used = settings.reading(loaded.spec.heads[head].streams)
    with Predictor(loaded, InferenceSettings(threads=1)) as predictor:
        runs = [predicted(f, used, predictor, head) for f in track(files, "predictions")]
    rows = [measured(runs, head, variant) for variant in track(VARIANTS, "variants")]
    found = {
        "bundle": loaded.id,
        "data": root.name,
        "part": part,
        "rate_hz": RATE_HZ,
        "rows": rows,
    }
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


def measured(runs: Sequence[Run], head: str, variant: Mapping[str, Any]) -> dict[str, Any]:
    """Scores of all runs with one variant of the settings."""
    probabilities, classes, truth = [], [], []
    seconds, changes, true_changes = 0.0, 0, 0
    for run in runs:
        smoother = Smoother(SmoothingSettings(**variant))
        heads = [smoother.apply(p).heads[head] for p in run.predictions]
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


def page(found: Mapping[str, Any]) -> str:
    """The table, in Markdown."""
    rows = found["rows"]
    true = rows[0]["true_transitions_per_minute"]
    lines = [
        "# Activities over time",
        "",
        f"Answers of `{found['bundle']}` at {found['rate_hz']:g} Hz over the {found['part']} part "
        f"of `{found['data']}`, {rows[0]['answers']} in all, each against the label at its own "
        "stamp: what makes labels steadier makes them later. True transitions per minute: "
        f"{true:.1f}.",
        "Written by `python tools/activity_smoothing.py`; what is not named has its default.",
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
