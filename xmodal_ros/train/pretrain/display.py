"""What a person sees while pretraining runs: loss, geometry of the embedding, retrieval, rate."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

KEPT = 8
"""Rows in the table."""


class Display:
    """A table of the last measures over a progress bar; only lines where there is no terminal.

    Args:
        console: Where to.
        steps: Of the whole run.
        images: Encoded per step, for the rate.
    """

    def __init__(self, console: Console, steps: int, images: int) -> None:
        self._console, self._images = console, images
        self._rows: list[tuple[str, ...]] = []
        self._columns: tuple[str, ...] = ()
        self._progress = Progress(
            TextColumn("pretraining"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]}"),
            console=console,
        )
        self._task = self._progress.add_task("", total=steps, rate="")
        self._live = Live(self._progress, console=console, refresh_per_second=4)
        self._mark: tuple[int, float] | None = None

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def advance(self, step: int) -> None:
        """Tell that a number of steps is done."""
        self._progress.update(self._task, completed=step)

    def show(self, step: int, measures: Mapping[str, float]) -> None:
        """Tell what was measured after a step."""
        now = time.perf_counter()
        rate = ""
        if self._mark is not None and step > self._mark[0]:
            seconds = now - self._mark[1]
            rate = f"{(step - self._mark[0]) * self._images / seconds:.0f} images/s"
        self._mark = (step, now)
        self._columns = ("step", *measures)
        row = (str(step), *(f"{value:.3f}" for value in measures.values()))
        if not self._console.is_terminal:
            told = ", ".join(f"{n} {v}" for n, v in zip(self._columns, row, strict=True))
            self._console.print(f"{told} {rate}".rstrip(), soft_wrap=True, highlight=False)
            return
        self._rows = [*self._rows, row][-KEPT:]
        self._progress.update(self._task, rate=rate)
        table = Table(*(name.replace("_", " ") for name in self._columns))
        for each in self._rows:
            table.add_row(*each)
        self._live.update(Group(table, self._progress))
