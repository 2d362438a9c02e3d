"""Writes results: a table, `docs/results/bench.json`, and `docs/benchmarks.md` from it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.row import Row, Skipped

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "bench.json"
PAGE = ROOT / "docs" / "benchmarks.md"
LOAD = "load_before"
COLUMNS = ("what", "against", "ours", "theirs", "ratio (min to max)", "hold", "met")
INTRODUCTION = """# Benchmarks

Written by `make bench` from `docs/results/bench.json`. Both sides of a row are measured in turns
in one run on one machine, so the ratio says more than the times. The ratio is the median over the
repeats, with the smallest and the largest. Work of one thread is measured in CPU time.

Where message_filters, cv_bridge or sensor_msgs_py cannot be imported, a row says what stands for
it. `bench/approximate_time.py`, which stands for ApproximateTimeSynchronizer, was run beside
message_filters' own (source of October 2024) on four random timelines: the same sets, in 0.90 to
1.02 of its time.
"""


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, one cell per column."""
    theirs = "" if row.theirs is None else f"{row.theirs:.3g} {row.unit}"
    spread = f"{row.median:.3g} ({min(row.ratios):.3g} to {max(row.ratios):.3g})"
    met = "yes" if row.met else "no"
    return row.what, row.against, f"{row.ours:.3g} {row.unit}", theirs, spread, row.hold, met


def print_table(results: Sequence[Row | Skipped]) -> None:
    """Print all rows."""
    table = Table(*COLUMNS)
    for result in results:
        if isinstance(result, Row):
            table.add_row(*cells(result), style="" if result.met else "yellow")
        else:
            table.add_row(result.name, f"not measured: {result.reason}", style="dim")
    Console().print(table)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        LOAD: round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
    }


def among_earlier(
    results: Mapping[str, Row | Skipped], measured_on: dict[str, Any], earlier: dict[str, Any]
) -> tuple[dict[str, Row | Skipped], dict[str, Any]] | None:
    """Rows that were measured by themselves, among those of a run of all on the same machine.

    Args:
        results: By name.
        measured_on: Their machine.
        earlier: What `docs/results/bench.json` holds.

    Returns:
        All rows and the machine, as for `write`; None if the machine is another one.
    """
    before = earlier["machine"]
    if {**before, LOAD: 0.0} != {**measured_on, LOAD: 0.0}:
        return None
    found: dict[str, Row | Skipped] = {r["name"]: Row.from_mapping(r) for r in earlier["rows"]}
    found |= {name: Skipped(name, why) for name, why in earlier["skipped"].items()}
    for name, result in results.items():
        load = measured_on[LOAD]
        found[name] = replace(result, load_before=load) if isinstance(result, Row) else result
    return found, before


def write(results: Sequence[Row | Skipped], measured_on: dict[str, Any]) -> None:
    """Write the JSON, and the page from it."""
    values = {
        "machine": measured_on,
        "rows": [r.to_mapping() for r in results if isinstance(r, Row)],
        "skipped": {r.name: r.reason for r in results if isinstance(r, Skipped)},
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    PAGE.write_text(page(values))


def page(values: dict[str, Any]) -> str:
    """The Markdown page of the results."""
    on = ", ".join(f"{name} {value}" for name, value in values["machine"].items())
    rows = [Row.from_mapping(row) for row in values["rows"]]
    lines = [INTRODUCTION, f"Measured on: {on}.\n"]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    notes = [(row, row.note) for row in rows if row.note]
    notes += [(row, f"{what}: {value:.3g}") for row in rows for what, value in row.details.items()]
    notes += [
        (row, f"measured by itself, {LOAD} {row.load_before:g}")
        for row in rows
        if row.load_before is not None
    ]
    if notes:
        lines += ["", "Notes", ""] + [f"- {row.what}: {note}." for row, note in notes]
    lines += [f"- {name}: not measured, {why}." for name, why in values["skipped"].items()]
    return "\n".join(lines) + "\n"
