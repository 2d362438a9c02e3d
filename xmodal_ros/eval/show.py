"""An evaluation on the terminal: a bar with a rate while it runs, a table at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xmodal_ros import progress
from xmodal_ros.eval import evaluate


@contextmanager
def progress_bar(console: Console, name: str) -> Iterator[evaluate.Listener]:
    """A bar over the recording's time; yields the listener that moves it."""
    with progress.progress_bar(console, name) as bar:
        bar.update(0, "loading the model")

        def listen(seen: evaluate.Progress) -> None:
            bar.update(
                seen.done_s,
                f"{seen.done_s:.1f} of {seen.total_s:.1f} s, "
                f"{bar.rate(seen.predictions):.0f} predictions/s",
                total=seen.total_s,
            )

        yield listen


def table(summary: Mapping[str, Any]) -> Table:
    """One row per head: its scores where there are labels."""
    model = summary["model"]
    made = Table(
        title=f"{summary['recording']['path']}: bundle {model['id']} on {model['backend']} "
        f"{model['device']} {model['precision']}",
        title_justify="left",
    )
    made.add_column("head")
    for name in ("answers", "stretches", "acc.", "balanced", "AUC", "NLL, nats", "ECE"):
        made.add_column(name, justify="right")
    for name, head in summary["heads"].items():
        scores = head["scores"] or {}
        keys = ("accuracy", "balanced_accuracy", "auc", "nll", "ece")
        values = [scores.get(key) for key in keys]
        cells = ["-" if value is None else f"{value:.3f}" for value in values]
        made.add_row(name, str(head["answers"]), str(head["labelled_segments"]), *cells)
    return made


def lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Timing and problems, one sentence each."""
    timing = summary["timing"]
    yield (
        f"{summary['observations']['count']} observations in {timing['wall_s']:.1f} s: "
        f"{timing['predictions_per_s']:.0f} predictions/s, "
        f"{timing['times_real_time']:.1f} times real time"
    )
    for name, part in summary["points"].items():
        if part["scores"]:
            found = part["scores"]
            each = ", ".join(f"{label} {iou:.3f}" for label, iou in found["iou"].items())
            yield f"points of {name}: mean IoU {found['points']['miou']:.3f} ({each})"
    for name, stage in timing["stages_ms"].items():
        if stage:
            yield f"{name}: p50 {stage['p50']:.2f} ms, p99 {stage['p99']:.2f} ms"
    for problem in summary["problems"]:
        yield f"[yellow]problem:[/] {escape(problem)}"
