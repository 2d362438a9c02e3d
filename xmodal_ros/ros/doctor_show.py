"""What `doctor` found, as a table for a person and as JSON for a program."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from xmodal_ros.ros.doctor import Report, StreamReport


def text(report: Report) -> str:
    """The report as JSON."""
    return json.dumps(report.mapping(), indent=2)


def show(report: Report) -> None:
    """Print the report: a line per stream, then what to change."""
    console = Console()
    table = Table(title=f"Streams, heard for {report.seconds:g} s", title_justify="left")
    for name in ("stream", "topic", "from"):
        table.add_column(name, overflow="fold")
    for name in ("Hz", "size", "age"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for stream in report.streams:
        table.add_row(*_row(stream))
    console.print(table)
    facts = {**report.perception, "clock": report.clock, **report.transport}
    console.print(", ".join(f"{name}: {value or 'none'}" for name, value in facts.items()))
    for stream in report.streams:
        for error in stream.errors:
            _say(console, _name(stream), error, "red" if stream.vital else "yellow")
    for name in report.twice:
        _say(console, name, "several nodes have this name; rename all but one", "red")
    for name, message in report.diagnostics.items():
        _say(console, f"/diagnostics {name}", message, "yellow")
    for advice in report.advice:
        _say(console, "transport", advice, "yellow")
    if report.healthy:
        _say(console, "healthy", "what perception cannot do without comes as it should", "green")


def _row(stream: StreamReport) -> list[Text]:
    seen = stream.seen
    size = f"{seen.bytes / 1024:.0f} KiB" if seen.bytes else "small"
    sources = [f"{p['node']} ({p['reliability']})" for p in stream.publishers]
    cells = [
        _name(stream),
        f"{stream.topic}\n{stream.type.rpartition('/')[2]}",
        "\n".join(sources) or "nobody",
        f"{seen.rate_hz:.1f}" if seen.messages else "-",
        size if seen.messages else "-",
        f"{seen.age_s * 1e3:.0f} ms" if seen.messages else "-",
    ]
    good, bad = ("ok", "green"), (("fault", "red") if stream.vital else ("look", "yellow"))
    verdict, colour = bad if stream.errors else good
    return [*(Text(cell) for cell in cells), Text(verdict, style=colour)]


def _name(stream: StreamReport) -> str:
    return f"{stream.arm}/{stream.stream}" if stream.arm else stream.stream


def _say(console: Console, name: str, what: str, colour: str) -> None:
    console.print(Text.assemble((name, colour), f": {what}"), soft_wrap=True)
