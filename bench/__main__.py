"""`python -m bench [ROW ...]` measures the rows, prints them, and writes JSON and Markdown."""

from __future__ import annotations

import importlib
import sys

from bench.report import machine, print_table, write
from bench.row import Row, Skipped
from xmodal_ros.core.errors import BundleError

ROWS = {
    "live_rate": "live:rate",
    "live_latency": "live:latency",
    "node_overhead": "live:overhead",
    "sync_cost": "synchronizer:cost",
    "stamp_spread": "synchronizer:spread",
    "image": "decoding:image",
    "point_cloud": "decoding:point_cloud",
    "recording": "recording:recording",
    "simulation": "simulation:simulation",
    "pretraining": "pretraining:pretraining",
    "subscriber_cpu": "subscriber:cpu",
    "messages_lost": "subscriber:lost",
    "backend_speed": "inference:speed",
    "backend_difference": "inference:difference",
    "conditioning": "inference:conditioning",
    "overlays": "overlays:overlays",
}
"""What measures each row: a module of this folder and a function without arguments."""


def measure(name: str) -> Row | Skipped:
    """Measure one row; its module is imported only now, since some need much."""
    module, function = ROWS[name].split(":")
    try:
        row: Row = getattr(importlib.import_module(f"bench.{module}"), function)()
    except BundleError as error:
        return Skipped(name, str(error))
    return row


def main(names: list[str]) -> int:
    """Measure rows, all by default; only a run of all rewrites the files."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"unknown row {', '.join(unknown)}; expected some of {', '.join(ROWS)}")
        return 2
    measured_on = machine()
    results = []
    for name in names or ROWS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        results.append(measure(name))
    print_table(results)
    if not names:
        write(results, measured_on)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
