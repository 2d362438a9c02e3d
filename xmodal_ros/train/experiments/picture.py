"""The picture of an experiment: a row of dots per variant, a panel per head, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from xmodal_ros.train.experiments.table import SCORES, label, values

PANEL, GAP, ROW, TOP = 190, 24, 24, 62
"""Pixels: width of a panel and of the space after it, height of a row and of the head."""
LETTER = 6.5
"""Pixels, mean width of one in a label."""
TICK = 0.1


def draw(found: Mapping[str, Any], scores: Mapping[str, Mapping[str, str]] = SCORES) -> str:
    """Draw the last part's main scores; of an experiment without training, the times.

    Args:
        found: Of an experiment.
        scores: Names of scores by head, the main one last.
    """
    panels = _scores(found, scores) if found["rows"] else _times(found)
    rows = [{"text": text, "y": TOP + ROW * k} for k, text in enumerate(panels[0]["labels"])]
    left = 20 + LETTER * max(len(text) for text in panels[0]["labels"])
    for place, panel in enumerate(panels):
        _lay_out(panel, left + place * (PANEL + GAP))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("picture.svg.j2").render(
        title=found["experiment"],
        rows=rows,
        panels=panels,
        left=left,
        panel_width=PANEL,
        row_height=ROW,
        top=TOP,
        width=left + len(panels) * (PANEL + GAP),
        height=TOP + ROW * len(rows) + 18,
    )


def _scores(
    found: Mapping[str, Any], scores: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    part = found["parts"][-1]
    panels = []
    for head, columns in scores.items():
        for score, title in reversed(list(columns.items())):  # an AUC may be defined nowhere
            by_row = [values(row, part, head, score) for row in found["rows"]]
            drawn = [[v for v in vs if math.isfinite(v)] for vs in by_row]
            if any(drawn):
                panels.append(
                    {
                        "title": f"{head}, {title} ({part})",
                        "labels": [label(row) for row in found["rows"]],
                        "plain": [row.get("baseline", False) for row in found["rows"]],
                        "values": drawn,
                    }
                )
                break
    return panels


def _times(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    facts = found["variants"]
    return [
        {
            "title": f"{stage}, ms",
            "labels": list(facts),
            "plain": [False] * len(facts),
            "values": [[f["milliseconds"][stage]] for f in facts.values()],
        }
        for stage in ("encoders", "fusion")
    ]


def _lay_out(panel: dict[str, Any], x: float) -> None:
    """Add places in pixels: the panel's left edge, ticks, and each row's dots and bar."""
    every = [v for vs in panel["values"] for v in vs]
    step = TICK if max(every) <= 1 else 10 ** math.floor(math.log10(max(every)))
    low = math.floor(min(every) / step) * step
    high = max(math.ceil(max(every) / step) * step, low + step)

    def place(value: float) -> float:
        return round(x + PANEL * (value - low) / (high - low), 1)

    panel["x"] = x
    ticks = np.arange(low, high + step / 2, step)
    panel["ticks"] = [{"x": place(t), "text": f"{t:.3g}"} for t in ticks[:: len(ticks) // 6 + 1]]
    panel["marks"] = [
        {
            "y": TOP + ROW * k,
            "plain": plain,
            "mean": place(float(np.mean(vs))),
            "low": place(min(vs)),
            "high": place(max(vs)),
            "dots": [place(v) for v in vs] if len(vs) > 1 else [],
            "text": f"{np.mean(vs):.3g}",
        }
        for k, (vs, plain) in enumerate(zip(panel["values"], panel["plain"], strict=True))
        if vs
    ]
