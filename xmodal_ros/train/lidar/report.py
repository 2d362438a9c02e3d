"""The page and the picture of what `compare` found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xmodal_ros.train.experiments.picture import draw
from xmodal_ros.train.experiments.table import scores_table
from xmodal_ros.train.lidar.retrieve import CANDIDATES, DIRECTIONS, REGION_PX
from xmodal_ros.train.pretrain.files import save_text

RETRIEVAL = {head: {"recall@10": "recall@10", "percentile": "percentile"} for head in DIRECTIONS}
"""What is shown of retrieval."""


def save(found: Mapping[str, Any], stem: Path) -> None:
    """Write what was found as JSON, its page as Markdown, and its picture as SVG."""
    save_text(stem.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    save_text(stem.with_suffix(".md"), page(found, stem.name))
    save_text(stem.with_suffix(".svg"), picture(found, stem.name))


def picture(found: Mapping[str, Any], title: str) -> str:
    """The main score of each row as SVG: mean IoU, or retrieval where nothing has classes."""
    scores = {"points": {"miou": "mIoU"}} if found["rows"] else RETRIEVAL
    rows = found["rows"] or found["retrieval"]
    return draw({"experiment": title, "parts": [found["part"]], "rows": rows}, scores)


def page(found: Mapping[str, Any], name: str) -> str:
    """The tables as Markdown, with the picture of that name."""
    part, blocks = found["part"], [f"# {name}", f"![{name}]({name}.svg)"]
    if found["rows"]:
        columns = [("points", "miou", "mIoU"), ("points", "accuracy", "accuracy")]
        columns += [("iou", name, name) for name in found["classes"]]
        seeds = max(len(row["seeds"]) for row in found["rows"])
        told = f"Means over {seeds} seeds ± half their range" if seeds > 1 else "One seed"
        blocks += [
            scores_table(found, part, columns),
            f"{told}; {found['scans']} scans of the {part} "
            f"part of {found['data']}. IoU at every point. Shares are of labelled training scans. "
            "By direction: the class most common in a pixel in the training scans, which a sensor "
            "that stands still makes strong.",
        ]
    if found["retrieval"]:
        columns = [
            (head, score, title) for head, s in RETRIEVAL.items() for score, title in s.items()
        ]
        blocks += [
            scores_table({"rows": found["retrieval"]}, part, columns),
            f"Among up to {CANDIDATES} points of an image and their pixels, or the means of "
            f"points in cells of {REGION_PX} px. Percentile: the mean share of candidates that "
            "are nearer than the right one, 0.5 by chance. By place: direction of the point "
            "against place in the image, which a camera that looks where the LiDAR does makes "
            "strong.",
        ]
    return "\n\n".join(blocks) + "\n"
