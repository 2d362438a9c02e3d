"""`python -m bench [ROW ...]` measures the rows, prints them, and writes JSON and Markdown."""

from __future__ import annotations

import importlib
import json
import sys
import traceback

from bench.report import RESULTS, among_earlier, machine, print_table, write
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
    "scan": "scan:scan",
    "recording": "recording:recording",
    "simulation": "simulation:simulation",
    "pretraining": "pretraining:pretraining",
    "subscriber_cpu": "subscriber:cpu",
    "messages_lost": "subscriber:lost",
    "backend_speed": "inference:speed",
    "backend_difference": "inference:difference",
    "conditioning": "inference:conditioning",
    "overlays": "overlays:overlays",
    "describing": "describing:describing",
    "assess_reaction": "assessing:reaction",
    "assess_limit": "assessing:limit",
    "swap_lost": "swapping:lost",
    "swap_lost_at_rate": "swapping:lost_at_rate",
    "swap_memory": "swapping:memory",
    "search": "search:search",
    "search_recall": "search:recall",
}
"""What measures each row: a module of this folder and a function without arguments."""


def measure(name: str) -> Row | Skipped:
    """Measure one row; its module is imported only now, since some need much.

    One that fails does not take the others with it.
    """
    module, function = ROWS[name].split(":")
    try:
        row: Row = getattr(importlib.import_module(f"bench.{module}"), function)()
    except BundleError as error:
        return Skipped(name, str(error))
    except Exception as error:
        traceback.print_exc()
        return Skipped(name, f"failed: {error!r}")
    return row


def main(names: list[str]) -> int:
    """Measure rows, all by default, and put them into the files of this machine's results."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"unknown row {', '.join(unknown)}; expected some of {', '.join(ROWS)}")
        return 2
    measured_on = machine()
    results: dict[str, Row | Skipped] = {}
    for name in names or ROWS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        results[name] = measure(name)
    print_table([*results.values()])
    if names:
        merged = among_earlier(results, measured_on, json.loads(RESULTS.read_text()))
        if merged is None:
            print(f"{RESULTS} is of another machine: only a run of all rows writes it anew")
            return 0
        results, measured_on = merged
    write([results[name] for name in ROWS if name in results], measured_on)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
