"""How well materials are known that a network was trained for, for `teach_study.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from teach_cases import Case
from teach_networks import Made

from xmodal_ros.data.visual_tactile.example import TEST, VALIDATION


def limit(whole: Made, material: str, allowed: float) -> dict[str, float]:
    """How well a network knows a material that it was trained for, where that may cost others.

    Without the material's logit the network knows the others as if there were no such class. The
    logit is raised until it costs them as much as is allowed on the validation part.

    Args:
        whole: The network of all materials.
        material: Its name.
        allowed: Share of the others' examples that may be lost.

    Returns:
        "taught": share of the material's examples that are known, "lost": of the others' that are
        lost; on the test part.
    """
    own, right, margin = _margins(whole, material, VALIDATION)
    found = np.sort(np.where(right, margin, -np.inf)[~own])[::-1]
    bar = found[int(allowed * len(found))]
    own, right, margin = _margins(whole, material, TEST)
    wins = margin > bar
    return {"taught": float(wins[own].mean()), "lost": float((wins & right)[~own].mean())}


def by_material(cases: Sequence[Case], whole: Made, allowed: float) -> list[dict[str, Any]]:
    """What came of each material, and how well a network knows it that was trained for it."""
    rows = []
    for material in sorted({case.material for case in cases}):
        mine = [case for case in cases if case.material == material]
        most = limit(whole, material, allowed)
        rows.append(
            {
                "material": material,
                "taught": float(np.mean([case.taught for case in mine])),
                "limit": most["taught"],
                "limit_lost": most["lost"],
                "taken_for": _taken_for([name for case in mine for name in case.wrong]),
            }
        )
    return rows


def _taken_for(answers: Sequence[str]) -> str:
    """What a material was called instead: the two most common names, with their shares."""
    common = Counter(answers).most_common(2)
    return ", ".join(f"{name} {count / len(answers):.0%}" for name, count in common)


def _margins(whole: Made, material: str, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the material is touched, where the best other class is right, the logit's margin."""
    there = whole["parts"] == part
    logits, own = whole["logits"][there], whole["materials"][there] == material
    column = int(whole["labels"][whole["materials"] == material][0])
    others = np.delete(np.arange(logits.shape[1]), column)
    right = others[logits[:, others].argmax(1)] == whole["labels"][there]
    return own, right, logits[:, column] - logits[:, others].max(1)
