"""Data sets of the simulated cell: recordings that know what is in them (`xmodal sim dataset`).

To the labels of the recordings come hardness and roughness of what is touched, which
`dataset.json` has.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require
from xmodal_ros.data.visual_tactile import recordings
from xmodal_ros.data.visual_tactile.example import Example, Problem, VisualTactile

KIND = "simulated_cell"
SPLITS = recordings.SPLITS
CONTENTS = "dataset.json"
SOFT_BELOW = 8.0
"""log10 of Young's modulus in Pa: cloth, cork, rubber and leather are soft, cardboard is hard."""
ROUGH_FROM_M = 30e-6
"""Mean absolute height Ra from which a surface is rough; our reading, about the cell's median."""


def recognise(root: Path) -> bool:
    """Whether a folder looks like such a data set."""
    return (root / CONTENTS).is_file() and recordings.recognise(root)


def read(root: Path, split: str = "", history_s: float = 0.0) -> VisualTactile:
    """Read the recordings; see `recordings.read`. An example's group is that of its episode.

    Raises:
        DataError: `dataset.json` or a table cannot be read, or there is no recording.
    """
    path = root / CONTENTS
    try:
        episodes = {
            e["name"]: e for e in json.loads(require(path).read_text(encoding="utf-8"))["episodes"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"cannot be read ({error!r})", where=str(path), expected="what `xmodal sim` wrote"
        ) from error
    data = recordings.read(root, split, KIND, history_s)
    examples = tuple(_label(example, episodes) for example in data.examples)
    problems = (*data.problems, *_shared(root, data.examples, episodes))
    return replace(data, examples=examples, problems=problems)


def _label(example: Example, episodes: Mapping[str, Any]) -> Example:
    """Add what the touched material's object is like, where all objects of it are alike."""
    material = example.labels.get("material")
    objects = episodes.get(_episode(example), {}).get("objects", ())
    touched = [thing for thing in objects if thing["material"] == material]
    hardness = {"soft" if t["hardness"] < SOFT_BELOW else "hard" for t in touched}
    roughness = {"rough" if t["roughness_m"] >= ROUGH_FROM_M else "smooth" for t in touched}
    more = {"hardness": hardness, "roughness": roughness}
    found = {head: names.pop() for head, names in more.items() if len(names) == 1}
    return replace(example, labels={**example.labels, **found})


def _shared(
    root: Path, examples: tuple[Example, ...], episodes: Mapping[str, Any]
) -> list[Problem]:
    """Objects, textures and gel units that are in episodes of several parts."""
    parts: dict[str, set[str]] = defaultdict(set)
    for name, part in {(_episode(example), example.part) for example in examples}:
        facts = episodes.get(name, {})
        ids = [thing["id"] for thing in facts.get("objects", ())]
        for thing in (*ids, *facts.get("textures", ()), *facts.get("gel_units", ())):
            parts[thing].add(part)
    where = str(root / recordings.SPLIT)
    return [
        Problem("leak", where, f"{thing} is in " + " and ".join(sorted(names)))
        for thing, names in sorted(parts.items())
        if len(names) > 1
    ]


def _episode(example: Example) -> str:
    return re.split("[/@]", example.name)[0]
