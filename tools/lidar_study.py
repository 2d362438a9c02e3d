"""Tables and pictures of CMCR: shares of labels, what each objective gives, retrieval.

python tools/lidar_study.py CELL PAIRS    hours on two cores; what is finished is read back
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xmodal_ros.data.point_cloud import PointClouds, read_clouds
from xmodal_ros.data.visual_tactile.example import TEST
from xmodal_ros.train.lidar.compare import (
    SEEDS,
    SHARES,
    Asked,
    compare,
    evaluation_settings,
)
from xmodal_ros.train.lidar.pretrain import pretrain
from xmodal_ros.train.lidar.report import save
from xmodal_ros.train.lidar.segment import FINETUNE, MODES
from xmodal_ros.train.lidar.settings import LossSettings, read_overrides

RECIPE = (
    "lidar.backbone=regnetx_002", "lidar.channels=32", "draw.pairs=1024", "draw.depth_m=0.05",
    "draw.radius_m=0.15", "codebook.decay=0.99", "codebook.patience=40", "schedule.batch=4",
    "schedule.steps=1500", "schedule.validate_every=300", "schedule.validated=16",
    "schedule.learning_rate=0.002",
)  # fmt: skip
"""Of all pretraining; for scans of 64 rings and 1,024 steps of the simulated cell."""
SEGMENTING = (
    "schedule.batch=4", "schedule.steps=300", "schedule.validate_every=100",
    "schedule.learning_rate=0.002",
)  # fmt: skip
"""Of all learning of classes, from scratch or not."""
CONTRAST, JOINT, ANY_SCALE = "contrast", "joint", "joint-any-scale"
RECIPES = {
    CONTRAST: tuple(f"loss.{name}=0" for name in vars(LossSettings()) if name != "contrast"),
    JOINT: (),
    "joint-no-contrast": ("loss.contrast=0",),
    "joint-no-images": ("loss.image=0", "loss.geometry=0"),
    "joint-no-geometry": ("loss.geometry=0",),
    "joint-no-rays": ("loss.occupancy=0", "loss.intensity=0"),
    "joint-no-codes": ("loss.codes=0", "loss.commitment=0"),
    "joint-no-separation": ("loss.separation=0",),
    # The cell is a few metres large, a street a hundred.
    ANY_SCALE: ("vary.scaled=10", "vary.brightness=10"),
}
"""What is pretrained: overrides by name."""
ABLATION = tuple(name for name in RECIPES if name != ANY_SCALE)
LEAST = min(SHARES)


def study(
    cell: Annotated[Path, typer.Argument(help="Data set of the simulated cell.")],
    pairs: Annotated[Path, typer.Argument(help="Calibrated pairs of the real world.")],
    encoder: Annotated[
        str, typer.Option(help="Image weights: encoder.safetensors of `xmodal pretrain`.")
    ] = "package",
    out: Annotated[Path, typer.Option(help="Folder of the runs, which the tables share.")] = Path(
        "out/lidar"
    ),
    results: Annotated[Path, typer.Option(help="Folder of the tables.")] = Path("docs/results"),
    part: Annotated[
        str, typer.Option(help="Of the cell; validation while anything is chosen.")
    ] = (TEST),
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row.")] = len(SEEDS),
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="GROUP.NAME=VALUE", help="Of all runs.")
    ] = None,
) -> None:
    """Pretrain all recipes, learn classes from them, and write three tables."""
    console, scans = Console(), read_clouds(cell)
    changes = [f"image.weights={encoder}", *(overrides or [])]
    for seed in range(seeds):
        for name, recipe in RECIPES.items():
            settings = read_overrides([*RECIPE, *recipe, *changes, f"schedule.seed={seed}"])
            folder = out / name / f"seed{seed}"
            pretrain([scans], folder, settings, cache=out / "cache", console=console)
    for name, data, of, encoders, modes, shares in (
        ("lidar-shares", scans, part, (CONTRAST, JOINT), tuple(MODES), SHARES),
        ("lidar-ablation", scans, part, ABLATION, (FINETUNE,), (LEAST,)),
        ("lidar-retrieval", read_clouds(pairs), TEST, (CONTRAST, JOINT, ANY_SCALE), (), ()),
    ):
        asked = Asked(tuple(out / n for n in encoders), modes, shares, tuple(range(seeds)), of)
        write(results / name, data, asked, out / "classes", console, overrides or [])


def write(
    stem: Path, data: PointClouds, asked: Asked, out: Path, console: Console, overrides: list[str]
) -> None:
    """One table: as JSON, as Markdown and as a picture."""
    settings = evaluation_settings(asked.encoders, asked.seeds[0], [*SEGMENTING, *overrides])
    save(compare(data, asked, settings, out, console), stem)


if __name__ == "__main__":
    typer.run(study)
