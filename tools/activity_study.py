"""Tables and pictures of activity from the IMU and the camera: losses, combinations, the space.

python tools/activity_study.py losses CELL --encoder out/pretrain
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xmodal_ros.data.inertial import read_tracks
from xmodal_ros.data.inertial.problems import screened
from xmodal_ros.train.align.combinations import compare_combinations
from xmodal_ros.train.align.losses import LOSSES, compare_losses
from xmodal_ros.train.align.pages import combinations_page, losses_page, space_page
from xmodal_ros.train.align.run import align, prepare
from xmodal_ros.train.align.settings import read_overrides, vision_overrides
from xmodal_ros.train.align.space import draw, measure_space
from xmodal_ros.train.pretrain.files import save_text

OUT, RESULTS = Path("out/activity"), Path("docs/results")


class Study(str, Enum):
    """What is asked."""

    losses = "losses"
    """Supervised loss, InfoNCE, and both."""
    combinations = "combinations"
    """Vision and IMU together: fixed weights, a gate, concatenation, CEC."""
    space = "space"
    """The joint space before and after alignment, of the first seed."""


def study(
    asked: Annotated[Study, typer.Argument(help="Which table.")],
    roots: Annotated[list[Path], typer.Argument(help="Data sets with IMU and camera.")],
    encoder: Annotated[
        str, typer.Option(help="What `xmodal pretrain` wrote; ImageNet if not named.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder of the runs, which the tables share.")] = OUT,
    results: Annotated[Path, typer.Option(help="Folder of the tables.")] = RESULTS,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row.")] = 3,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="GROUP.NAME=VALUE", help="Of all rows.")
    ] = None,
) -> None:
    """Train what a table compares, or read finished runs, and write it."""
    settings = read_overrides([*vision_overrides(encoder), *(overrides or [])])
    data, names = [screened(read_tracks(root)) for root in roots], [root.name for root in roots]
    examples, console = prepare(data, settings, out / "cache"), Console()
    if asked is Study.losses:
        found = compare_losses(examples, names, out, settings, seeds, console=console)
        page = losses_page(found)
    elif asked is Study.combinations:
        found = compare_combinations(examples, names, out, settings, seeds, console=console)
        page = combinations_page(found)
    else:
        spaces = {}
        for title, row in (("supervised alone", "supervised"), ("aligned", "both")):
            own = read_overrides(LOSSES[row], settings)
            run = align(examples, names, out / f"{row}-LayerNorm-0", own, console=console)
            spaces[title] = measure_space(run, examples)
        found = {"data": names, "classes": list(examples.classes), "spaces": spaces}
        page = space_page(found)
        save_text(results / "activity-space.svg", draw(spaces, examples.classes))
    save_text(results / f"activity-{asked.value}.json", json.dumps(found, indent=1) + "\n")
    save_text(results / f"activity-{asked.value}.md", page)


if __name__ == "__main__":
    typer.run(study)
