"""What `teach_study.py` found, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from teach_cases import WINDOWS

from xmodal_ros.data.visual_tactile.example import TEST, TRAIN


def page(found: dict[str, Any]) -> str:
    """The table as Markdown."""
    lines = [
        "# teach",
        "",
        "| method | touches | taught on | taught: accuracy | the same, by touch "
        "| known: points lost |",
        "|---|---|---|---|---|---|",
    ]
    units = {TRAIN: "a training sensor", TEST: "the same sensors"}
    for row in found["rows"]:
        cells = [f"{row[k]:.3f} ± {row[f'{k}_spread']:.3f}" for k in ("taught", "taught_by_touch")]
        lost = f"{100 * row['lost']:.1f} ± {100 * row['lost_spread']:.1f}"
        start = [row["method"], str(row["touches"]), units[row["taught_on"]]]
        lines.append("| " + " | ".join([*start, *cells, lost]) + " |")
    accuracy = ", ".join(f"{value:.3f} ({part})" for part, value in found["accuracy"].items())
    held = sum(map(len, found["held"]))
    refused = {k: f"{v['1']:.0%} and {v['5']:.0%}" for k, v in found["refused"].items()}
    lines += [
        "",
        f"Test part of {found['data']}: objects, textures and sensors that no training saw. Means "
        f"over {len(found['held'])} networks, each trained without {held // len(found['held'])} "
        f"materials (seed {found['seed']}), ± half their range; each material is taught alone, "
        f"{found['draws']} times. Points lost are of the known materials' examples, whose "
        f"accuracy before is {accuracy}. By touch: up to {WINDOWS} answers are averaged.",
        "",
        "Weights of the evidence, chosen on the validation part at "
        f"{found['chosen_at']} touches for at most {100 * found['allowed']:.0f} points lost: "
        + "; ".join(
            f"{name} {w['sharpness']:g}, prior {w['prior']:g}"
            for name, w in found["weights"].items()
        )
        + ".",
        "",
        f"Refused, since {found['used']['alike']:.0%} alike another material (validation part), "
        f"with 1 and 5 touches: {refused['unknown']} of unknown materials, {refused['known']} of "
        "known ones that are given another name.",
        *_by_material(found["materials"], found["chosen_at"]),
    ]
    return "\n".join(lines) + "\n"


def _by_material(rows: Sequence[dict[str, Any]], touches: int) -> list[str]:
    """Rows by material, the least known first."""
    mean = {k: np.mean([row[k] for row in rows]) for k in ("taught", "limit", "limit_lost")}
    lines = [
        "",
        "## By material",
        "",
        f"Taught with {touches} touches, by the discriminant, against a network that was trained "
        "for the material with all of its training examples, its logit raised until that costs "
        "the others as much as teaching may (chosen on the validation part).",
        "",
        "| material | taught: accuracy | trained for it | else taken for |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['material']} | {row['taught']:.2f} | {row['limit']:.2f} | {row['taken_for']} |"
        for row in sorted(rows, key=lambda row: float(row["taught"]))
    ]
    lines.append(f"| mean | {mean['taught']:.3f} | {mean['limit']:.3f} | |")
    lost = 100 * mean["limit_lost"]
    return [*lines, "", f"The network that was trained for it costs the others {lost:.1f} points."]
