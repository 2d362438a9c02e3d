"""An evaluation on the terminal: a bar with a rate while it runs, a table at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from xmodal_ros.eval import evaluate


@contextmanager
def progress_bar(console: Console, name: str) -> Iterator[evaluate.Listener]:
    """A bar over the recording's time; yields the listener that moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(escape(name), total=None, state="loading the model")
        begun_s = None

        def listen(progress: evaluate.Progress) -> None:
            nonlocal begun_s
            begun_s = begun_s or time.monotonic()
            rate = progress.predictions / max(time.monotonic() - begun_s, 0.1)
            state = f"{progress.done_s:.1f} of {progress.total_s:.1f} s, {rate:.0f} predictions/s"
            bar.update(task, completed=progress.done_s, total=progress.total_s, state=state)

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
    for name in (
        "answers",
        "labelled stretches",
        "accuracy",
        "balanced acc.",
        "AUC",
        "NLL, nats",
        "ECE",
    ):
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
    for name, stage in timing["stages_ms"].items():
        if stage:
            yield f"{name}: p50 {stage['p50']:.2f} ms, p99 {stage['p99']:.2f} ms"
    for problem in summary["problems"]:
        yield f"[yellow]problem:[/] {escape(problem)}"
