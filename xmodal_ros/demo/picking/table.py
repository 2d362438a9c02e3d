"""What came of the picks: numbers with their spread as JSON, a table, and a picture."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from xmodal_ros.demo.picking.tree import STRATEGIES

PLAIN = "lift"
"""The strategy that the others are compared with."""
RESAMPLED = 2000
"""Draws of the bootstrap, of whole robots with all their picks: those share sensors."""
NAME = "picking"
Rows = Sequence[Mapping[str, Any]]


def write_results(out: Path, rows: Mapping[str, Rows], facts: Mapping[str, Any]) -> None:
    """Write `picking.json`, `picking.md` and `picking.svg`.

    Args:
        out: Folder.
        rows: Picks by strategy.
        facts: What they were made with.
    """
    found = {**facts, "strategies": summary(rows)}
    texts = {".json": json.dumps(found, indent=1) + "\n", ".md": page(found), ".svg": draw(found)}
    for suffix, text in texts.items():
        (out / NAME).with_suffix(suffix).write_text(text, encoding="utf-8")


def summary(rows: Mapping[str, Rows]) -> dict[str, dict[str, Any]]:
    """Numbers of each strategy; a pick that diverged with one of them counts for none."""
    lost = {_place(row) for made in rows.values() for row in made if row.get("diverged")}
    kept = {name: [r for r in made if _place(r) not in lost] for name, made in rows.items()}
    found = {name: _numbers(made) for name, made in kept.items() if made}
    for name, numbers in found.items():
        numbers["diverged"] = sum(bool(row.get("diverged")) for row in rows[name])
        if name != PLAIN and PLAIN in found:
            numbers["gain"] = _gain(kept[name], kept[PLAIN])
    return found


def page(found: Mapping[str, Any]) -> str:
    """The table, as Markdown."""
    lines = [
        f"# {NAME}",
        "",
        f"![{NAME}]({NAME}.svg)",
        "",
        "The same objects, forces and first aims for all; "
        f"robots from seed {found['seed']} on; bundle `{found['bundle']}`. In parentheses: "
        f"95 % of {RESAMPLED} draws of whole robots.",
        "",
        "| strategy | picks | lifted | gain, points | held after the shake | dropped | left alone "
        "| grasps | tightenings | grip, N | time, s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, n in found["strategies"].items():
        gain = n.get("gain")
        told = f"{100 * gain[0]:+.1f} ({_span(gain)})" if gain else ""
        cells = (
            STRATEGIES[name].title,
            f"{n['picks']}",
            f"{_percent(n['lifted'])} ({_span(n['lifted'])})",
            told,
            f"{_percent(n['carried'])} ({_span(n['carried'])})",
            _percent(n["dropped"]),
            _percent(n["left"]),
            f"{n['grasps']:.2f}",
            f"{n['tightenings']:.2f}",
            f"{n['grip_n']:.1f}",
            f"{n['seconds']:.1f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    for n in found["strategies"].values():
        if n["answers"]:
            told = ", ".join(f"{count} {name.lower()}" for name, count in n["answers"].items())
            lines += ["", f"Answers: {told}."]
            if n["hold_lifted"]:
                lines[-1] += f" Lifted after a hold: {_percent(n['hold_lifted'])}."
    return "\n".join(lines) + "\n"


def draw(found: Mapping[str, Any]) -> str:
    """The picture, as SVG: how many were lifted and how many held, and the grip that it took."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    rows = [
        {"title": STRATEGIES[name].title, **numbers}
        for name, numbers in found["strategies"].items()
    ]
    return environment.get_template("picking.svg.j2").render(rows=rows)


def _numbers(rows: Rows) -> dict[str, Any]:
    robots = np.array([row["seed"] for row in rows])
    lifted = np.array([_outcome(row, "lift") == "held" for row in rows])
    carried = lifted & np.array([_outcome(row, "shake") == "held" for row in rows])
    left = np.array([not _outcome(row, "lift") for row in rows])
    slipped = np.array(
        [any(m[0] in ("lift", "shake") and m[2] == "slipped" for m in r["moves"]) for r in rows]
    )
    reaches = np.array([_count(row, "reach") for row in rows])
    held = [bool(row["answers"]) and row["answers"][-1][0] == "HOLD" for row in rows]
    return {
        "picks": len(rows),
        "lifted": _interval(lifted, robots),
        "carried": _interval(carried, robots),
        "dropped": [float(slipped.mean())],
        "left": [float(left.mean())],
        "grasps": float(reaches.mean()),
        "tightenings": float(np.mean([_count(row, "grasp") for row in rows]) - reaches.mean()),
        "grip_n": float(np.mean([row["moves"][-1][1] for row in rows])),
        "seconds": float(np.mean([_lifted_s(row) for row in rows])),
        "answers": dict(Counter(answer[0] for row in rows for answer in row["answers"])),
        "hold_lifted": [float(lifted[held].mean())] if any(held) else [],
    }


def _gain(rows: Rows, others: Rows) -> list[float]:
    """How many more are lifted than by others, of the same objects: mean, and its interval."""
    theirs = {_place(row): _outcome(row, "lift") == "held" for row in others}
    pairs = [
        (row["seed"], (_outcome(row, "lift") == "held") - theirs[_place(row)])
        for row in rows
        if _place(row) in theirs
    ]
    robots, differences = np.array(pairs).T
    return _interval(differences, robots)


def _interval(values: np.ndarray, robots: np.ndarray) -> list[float]:
    """Mean, and its 2.5 % and 97.5 % over draws of robots `(N,)` with their values `(N,)`."""
    names, place = np.unique(robots, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place)
    drawn = np.random.default_rng(0).integers(len(names), size=(RESAMPLED, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return [float(values.mean()), *(float(v) for v in np.percentile(means, (2.5, 97.5)))]


def _place(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["seed"], row["number"]


def _outcome(row: Mapping[str, Any], command: str) -> str:
    """What the grasp had become after the last such command; empty where there was none."""
    return next((m[2] for m in reversed(row["moves"]) if m[0] == command), "")


def _count(row: Mapping[str, Any], command: str) -> int:
    return sum(m[0] == command for m in row["moves"])


def _lifted_s(row: Mapping[str, Any]) -> float:
    """When the object was lifted, or given up."""
    return float(next((m[3] for m in row["moves"] if m[0] == "lift"), row["moves"][-1][3]))


def _percent(values: Sequence[float]) -> str:
    return f"{100 * values[0]:.1f} %"


def _span(values: Sequence[float]) -> str:
    return f"{100 * values[1]:.1f} to {100 * values[2]:.1f}"
