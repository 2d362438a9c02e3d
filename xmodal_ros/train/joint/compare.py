"""Ways to train a joint space, side by side: the table of what several positives and fusion do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from xmodal_ros.data.visual_tactile.example import TEST, VALIDATION
from xmodal_ros.train.experiments.table import scores_table
from xmodal_ros.train.joint.picture import draw, locate
from xmodal_ros.train.joint.run import Material, train_joint
from xmodal_ros.train.joint.score import score
from xmodal_ros.train.joint.settings import JointSettings, read_overrides
from xmodal_ros.train.pretrain.files import save_text

NO_FUSION = "fusion.weight=0"
ONE = ("loss.positives=one", "schedule.views=1")
PAIRWISE = "pairwise InfoNCE"
VARIANTS: dict[str, tuple[str, ...]] = {
    PAIRWISE: (*ONE, "loss.candidates=pair", NO_FUSION),
    "pairwise InfoNCE, fusion": (*ONE, "loss.candidates=pair"),
    "all candidates": (*ONE, NO_FUSION),
    "several positives, pairwise": ("loss.candidates=pair", NO_FUSION),
    "several positives": (NO_FUSION,),
    "several positives, sigmoid": ("loss.infonce=0", "loss.sigmoid=1", NO_FUSION),
    "several positives, both": ("loss.sigmoid=0.1", NO_FUSION),
    "fusion, lambda 0.1": ("fusion.weight=0.1",),
    "fusion, lambda 0.3": ("fusion.weight=0.3",),
    "fusion, lambda 1": (),
    "fusion, lambda 3": ("fusion.weight=3",),
    "fusion, ramp": ("fusion.balance=ramp",),
    "fusion, uncertainty": ("fusion.balance=uncertainty",),
    "fusion, gradients": ("fusion.balance=gradients",),
    "fusion, depth 0": ("fusion.depth=0",),
    "fusion, depth 2": ("fusion.depth=2",),
    "fusion, depth 4": ("fusion.depth=4",),
}
"""Overrides by row; lambda 1 has depth 1."""
CENTRED = f"{PAIRWISE}, means taken away"
DRAWN = (PAIRWISE, "several positives", "fusion, lambda 1")
"""Whose first seeds are drawn as maps."""
COLUMNS = (
    ("space", "gap", "gap"),
    ("space", "chance", "gap by chance"),
    ("space", "separability", "separability"),
    ("space", "alignment", "alignment"),
    ("space", "uniformity", "uniformity"),
    ("space", "rank", "rank"),
    ("recall", "recall@1", "recall@1"),
    ("recall", "recall@5", "recall@5"),
    ("recall", "recall@10", "recall@10"),
    ("zero-shot", "material", "material by text"),
    ("zero-shot", "activity", "activity by text"),
)


def compare(
    material: Material,
    out: Path,
    settings: JointSettings,
    *,
    seeds: int,
    test: bool,
    names: Sequence[str] = (),
    console: Console | None = None,
) -> dict[str, Any]:
    """Train all variants with the same budget of moments, then score them.

    Args:
        material: From `run.gather`.
        out: Folder of the runs; finished ones are read back.
        settings: What all share.
        seeds: Runs of each.
        test: Whether the test part is read.
        names: Of the variants; all if empty.
        console: Where to show progress.
    """
    parts = [VALIDATION, TEST] if test else [VALIDATION]
    chosen = {name: VARIANTS[name] for name in names or VARIANTS}
    rows, spaces = [], {}
    for name, overrides in chosen.items():
        runs = []
        for seed in range(seeds):
            own = read_overrides([*overrides, f"schedule.seed={seed}"], settings)
            own = _same_budget(own, settings)
            folder = out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
            runs.append(train_joint(material, folder, own, console=console))
        rows.append(_row(name, [{p: score(r.model, material, p) for p in parts} for r in runs]))
        if name in DRAWN:
            spaces[name] = locate(runs[0].model, material, parts[-1])
        if name == PAIRWISE:
            moved = [{p: score(r.model, material, p, centred=True) for p in parts} for r in runs]
            rows.append(_row(CENTRED, moved))
    return {
        "data": material.data,
        "encoders": dict(material.encoders.sources),
        "parts": parts,
        "settings": json.loads(json.dumps(settings, default=vars)),
        "rows": rows,
        "maps": spaces,
    }


def _same_budget(own: JointSettings, of: JointSettings) -> JointSettings:
    """As many moments in a batch as the others have, where an instance gives fewer."""
    batch = of.schedule.batch * of.schedule.views // own.schedule.views
    return read_overrides([f"schedule.batch={batch}"], own)


def _row(name: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    seeds = [
        {part: {**_short(scores), "all": scores} for part, scores in one.items()} for one in found
    ]
    return {"variant": name, "condition": "", "seeds": seeds}


def _short(scores: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """What the table shows."""
    asked = scores["zero_shot"]
    recalls = list(scores["recall"].values())
    best = {head: [k for k in asked if k.startswith(head)] for head in ("material", "activity")}
    return {
        "space": {
            "gap": scores["centroid_distance"]["mean"],
            "chance": scores["chance_distance"],
            "separability": scores["separability"]["accuracy"],
            "alignment": scores["alignment"],
            "uniformity": scores["uniformity"],
            "rank": scores["effective_rank"],
        },
        "recall": {
            f"recall@{k}": float(np.mean([r[f"recall@{k}"] for r in recalls])) for k in (1, 5, 10)
        },
        "zero-shot": {head: asked[keys[-1]]["accuracy"] for head, keys in best.items() if keys},
    }


def page(found: Mapping[str, Any], name: str) -> str:
    """Markdown: a table of all measures for each part, and recall@1 of every pair."""
    blocks = [f"# {name}"]
    if found["maps"]:
        blocks += [
            f"![{name}]({name}.svg)",
            "UMAP of cosine distances; a caption lies where it is, whatever it is true of.",
        ]
    for part in reversed(found["parts"]):
        blocks += [f"## {part.capitalize()} part", scores_table(found, part, COLUMNS)]
        blocks += ["Recall@1 of each ordered pair, mean over seeds:", _pairs_table(found, part)]
    some = found["rows"][0]["seeds"][0][found["parts"][-1]]["all"]
    blocks.append(
        "\n".join(
            f"- {line}"
            for line in (
                f"{some['instances']} instances of the {found['parts'][-1]} part, one moment of "
                f"each; data: {found['data']}; encoders, frozen: "
                + ", ".join(f"{b} of {s}" for b, s in found["encoders"].items()) + ".",
                "Gap: distance of the means of two modalities, mean over all pairs; by chance: "
                "about what so few recordings show where there is none. "
                "Separability: of a linear classifier, "
                f"{some['separability']['chance']:.2f} by chance. Alignment and uniformity: lower "
                "is better. Rank: effective rank of all that was sensed.",
                "Text by its nearest: no label was trained on but as part of captions.",
                f"Means over {len(found['rows'][0]['seeds'])} seeds, ± half the range.",
            )
        )
    )  # fmt: skip
    return "\n\n".join(blocks) + "\n"


def _pairs_table(found: Mapping[str, Any], part: str) -> str:
    pairs = list(found["rows"][0]["seeds"][0][part]["all"]["recall"])
    lines = ["| | " + " | ".join(pairs) + " |", "|---" * (len(pairs) + 1) + "|"]
    for row in found["rows"]:
        means = [
            np.mean([seed[part]["all"]["recall"][pair]["recall@1"] for seed in row["seeds"]])
            for pair in pairs
        ]
        lines.append(f"| {row['variant']} | " + " | ".join(f"{x:.3f}" for x in means) + " |")
    recalls = found["rows"][0]["seeds"][0][part]["all"]["recall"]
    chance = [f"{recalls[pair]['chance@1']:.3f}" for pair in pairs]
    lines.append("| by chance | " + " | ".join(chance) + " |")
    return "\n".join(lines)


def save(found: Mapping[str, Any], stem: Path) -> None:
    """Write what was found as JSON, its page as Markdown and its maps as SVG."""
    save_text(stem.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    save_text(stem.with_suffix(".md"), page(found, stem.name))
    if found["maps"]:
        save_text(stem.with_suffix(".svg"), draw(found["maps"]))
