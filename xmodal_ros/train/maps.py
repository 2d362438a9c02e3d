"""Pictures of spaces: points in the plane, coloured by what they are, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

SIDE, GAP, HEAD, LEGEND = 300, 24, 46, 110
"""Pixels: side of a map, space between maps, what is above them, and width of a long legend."""
FEW = 2
"""Names of a legend that fit above its map."""
COLOURS = (
    "#2c6fbb", "#d1495b", "#3a7d44", "#e08e1b", "#7b4ea3", "#1f9e9e", "#8c564b", "#c95d9b",
    "#7a8a12", "#5d6b7c",
)  # fmt: skip


@dataclass(frozen=True)
class Map:
    """Points in the plane."""

    title: str
    places: Sequence[Sequence[float]]
    """`(N, 2)`."""
    kinds: Sequence[int]
    """Of each point its index in `names`."""
    names: Sequence[str]
    """More than `COLOURS` share them."""


def draw(rows: Sequence[Sequence[Map]], about: str) -> str:
    """SVG of rows of maps.

    Args:
        rows: Of maps; the columns have legends of the same size.
        about: What the picture shows, for those who hear it.
    """
    widths = [SIDE + GAP + (LEGEND if len(one.names) > FEW else 0) for one in rows[0]]
    lefts = [GAP + sum(widths[:k]) for k in range(len(widths))]
    maps = []
    for row, columns in enumerate(rows):
        for x, one in zip(lefts, columns, strict=True):
            y = row * (SIDE + HEAD) + HEAD
            legend = [{"name": n, "colour": _colour(k)} for k, n in enumerate(one.names)]
            maps.append(
                {"title": one.title, "x": x, "y": y, "dots": _dots(one, x, y), "legend": legend}
            )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("maps.svg.j2").render(
        about=about,
        maps=maps,
        few=FEW,
        side=SIDE,
        width=GAP + sum(widths),
        height=len(rows) * (SIDE + HEAD) + GAP,
    )


def _dots(one: Map, x: float, y: float) -> list[dict[str, Any]]:
    where = np.array(one.places)
    low, high = where.min(0), where.max(0)
    scaled = (where - low) / np.maximum(high - low, 1e-9) * (SIDE - 16) + 8
    return [
        {"x": round(x + float(px), 1), "y": round(y + float(py), 1), "colour": _colour(kind)}
        for (px, py), kind in zip(scaled, one.kinds, strict=True)
    ]


def _colour(kind: int) -> str:
    return COLOURS[kind % len(COLOURS)]
