"""Tables and pictures of activity from the IMU and the camera: losses, combinations, the space.

python tools/activity_study.py losses CELL --encoder out/pretrain
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from xmodal_ros.data.inertial import read_tracks
from xmodal_ros.data.inertial.problems import screened
from xmodal_ros.train.align.combinations import compare_combinations
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.losses import LOSSES, compare_losses
from xmodal_ros.train.align.pages import combinations_page, losses_page, space_page
from xmodal_ros.train.align.run import align, prepare
from xmodal_ros.train.align.settings import AlignSettings, read_overrides, vision_overrides
from xmodal_ros.train.align.space import draw, measure_space
from xmodal_ros.train.pretrain.files import save_text

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Roots = Annotated[list[Path], typer.Argument(help="Data sets with IMU and camera.")]
Encoder = Annotated[str, typer.Option(help="What `xmodal pretrain` wrote; ImageNet if not named.")]
Out = Annotated[Path, typer.Option(help="Folder of the runs, which the tables share.")]
Results = Annotated[Path, typer.Option(help="Folder of the tables.")]
Seeds = Annotated[int, typer.Option(min=1, help="Runs of each row.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="GROUP.NAME=VALUE", help="Of all rows.")
]
OUT, RESULTS = Path("out/activity"), Path("docs/results")


@app.command()
def losses(
    roots: Roots,
    encoder: Encoder = "",
    out: Out = OUT,
    results: Results = RESULTS,
    seeds: Seeds = 3,
    overrides: Overrides = None,
) -> None:
    """Supervised loss, InfoNCE, and both."""
    settings, examples = read(roots, encoder, overrides or [], out)
    names = [root.name for root in roots]
    found = compare_losses(examples, names, out, settings, seeds, console=Console())
    write(results / "activity-losses", found, losses_page(found))


@app.command()
def combinations(
    roots: Roots,
    encoder: Encoder = "",
    out: Out = OUT,
    results: Results = RESULTS,
    seeds: Seeds = 3,
    overrides: Overrides = None,
) -> None:
    """Vision and IMU together: fixed weights, a gate, concatenation, CEC."""
    settings, examples = read(roots, encoder, overrides or [], out)
    names = [root.name for root in roots]
    found = compare_combinations(examples, names, out, settings, seeds, console=Console())
    write(results / "activity-combinations", found, combinations_page(found))


@app.command()
def space(
    roots: Roots,
    encoder: Encoder = "",
    out: Out = OUT,
    results: Results = RESULTS,
    overrides: Overrides = None,
) -> None:
    """The joint space before and after alignment."""
    settings, examples = read(roots, encoder, overrides or [], out)
    names = [root.name for root in roots]
    spaces = {}
    for title, row in (("supervised alone", "supervised"), ("aligned", "both")):
        own = read_overrides(LOSSES[row], settings)
        run = align(examples, names, out / f"{row}-LayerNorm-0", own, console=Console())
        spaces[title] = measure_space(run, examples)
    found = {"data": names, "classes": list(examples.classes), "spaces": spaces}
    write(results / "activity-space", found, space_page(found))
    save_text(results / "activity-space.svg", draw(spaces, examples.classes))


def read(
    roots: list[Path], encoder: str, overrides: list[str], out: Path
) -> tuple[AlignSettings, AlignExamples]:
    """Settings, and windows with frozen features."""
    settings = read_overrides([*vision_overrides(encoder), *overrides])
    return settings, prepare(
        [screened(read_tracks(root)) for root in roots], settings, out / "cache"
    )


def write(path: Path, found: dict[str, Any], page: str) -> None:
    """Keep what was found as JSON, and its page."""
    save_text(path.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    save_text(path.with_suffix(".md"), page)


if __name__ == "__main__":
    app()
