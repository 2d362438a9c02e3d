"""The predictions as they come: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from xmodal_ros.data.labels import Track
from xmodal_ros.demo.watch import Watcher

BAR_CELLS = 20
PLAIN_PERIOD_S = 5.0

Tracks = Mapping[str, Track]


@contextmanager
def live(
    console: Console, watcher: Watcher, tracks: Tracks, start_ns: int
) -> Iterator[Callable[[], None]]:
    """Show the watcher's state; yields the function that shows it anew."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as screen:
            yield lambda: screen.update(_table(watcher, tracks, start_ns), refresh=True)
        return
    shown_s = time.monotonic()

    def print_lines() -> None:
        nonlocal shown_s
        if time.monotonic() - shown_s >= PLAIN_PERIOD_S:
            shown_s = time.monotonic()
            console.print(_line(watcher, tracks, start_ns), soft_wrap=True)

    yield print_lines


def _table(watcher: Watcher, tracks: Tracks, start_ns: int) -> Table:
    newest_ns = max((h.stamp_ns for h in watcher.heads.values()), default=0) or start_ns
    made = Table(
        title=f"live, {(newest_ns - start_ns) / 1e9:.1f} s into the recording",
        caption=f"{watcher.dropped} sets dropped so far",
        title_justify="left",
        caption_justify="left",
    )
    for name, justify in (
        ("head", "left"),
        ("prediction", "left"),
        ("probability", "left"),
        ("true label", "left"),
        ("latency, ms", "right"),
        ("rate, Hz", "right"),
        ("answers", "right"),
    ):
        made.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, head in watcher.heads.items():
        truth = _truth(name, head.stamp_ns, tracks)
        color = "white" if not truth else "green" if truth == head.label else "red"
        cells = round(BAR_CELLS * head.probability)
        bar = f"[{color}]{'█' * cells}[/][dim]{'░' * (BAR_CELLS - cells)}[/]"
        made.add_row(
            name,
            f"[{color}]{escape(head.label)}[/]",
            f"{bar} {head.probability:.2f}",
            escape(truth),
            f"{head.latency_ms:.1f}",
            f"{head.rate_hz:.1f}",
            str(head.count),
        )
    return made


def _line(watcher: Watcher, tracks: Tracks, start_ns: int) -> str:
    parts = []
    for name, head in watcher.heads.items():
        truth = _truth(name, head.stamp_ns, tracks)
        label = f"{head.label} {head.probability:.2f}" if head.count else "no answer yet"
        parts.append(f"{name}: {label}" + (f" (true: {truth})" if truth else ""))
    newest_ns = max((h.stamp_ns for h in watcher.heads.values()), default=0) or start_ns
    rate = max((h.rate_hz for h in watcher.heads.values()), default=0.0)
    return escape(
        f"{(newest_ns - start_ns) / 1e9:5.1f} s  {', '.join(parts)}; "
        f"{rate:.0f} Hz, {watcher.dropped} sets dropped"
    )


def _truth(head: str, stamp_ns: int, tracks: Tracks) -> str:
    return tracks[head].at(stamp_ns) if head in tracks else ""
