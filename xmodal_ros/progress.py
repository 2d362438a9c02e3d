"""The progress bar of all commands: what is done, how fast, and when it will end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A bar that is shown; made by `progress_bar`."""

    def __init__(self, progress: Progress, title: str, total: float | None) -> None:
        self._progress = progress
        known = total is not None
        self._task = progress.add_task(escape(title), total=total, told="", visible=known)
        self._begun_s: float | None = None

    def update(self, done: float, told: str, *, total: float | None = None) -> None:
        """Tell how much is done.

        Args:
            done: In the unit of the total.
            told: Shown beside the bar.
            total: Where it was not known before.
        """
        self._progress.update(
            self._task, completed=done, total=total, told=escape(told), visible=True
        )

    def rate(self, count: float) -> float:
        """A count per second since this was asked first."""
        now_s = time.monotonic()
        self._begun_s = self._begun_s or now_s
        return count / max(now_s - self._begun_s, 0.1)


@contextmanager
def progress_bar(console: Console, title: str, total: float | None = None) -> Iterator[Bar]:
    """Show a bar: title, bar, what is told, time remaining.

    Args:
        console: Where to; a quiet one shows nothing.
        title: What is being done.
        total: Of all; None while it is not known: then nothing is shown before the first update.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(progress, title, total)
