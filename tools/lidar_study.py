"""Tables and pictures of CMCR: shares of labels, what each objective gives, retrieval.

python tools/lidar_study.py CELL PAIRS    an hour on one core; what is finished is read back
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xmodal_ros.data.point_cloud import PointClouds, read_clouds
from xmodal_ros.data.visual_tactile.example import TEST
from xmodal_ros.train.lidar.compare import SEEDS, Asked, compare, evaluation_settings
from xmodal_ros.train.lidar.pretrain import pretrain
from xmodal_ros.train.lidar.report import save
from xmodal_ros.train.lidar.segment import MODES, PROBE
from xmodal_ros.train.lidar.settings import LossSettings, read_overrides

RECIPE = (
    "lidar.backbone=regnetx_002", "lidar.channels=32", "image.coarsest=4", "draw.pairs=1024",
    "draw.queries=1024", "draw.tellers=2048", "draw.depth_m=0.05", "draw.radius_m=0.15",
    "codebook.decay=0.99", "codebook.patience=40", "loss.intensity=0.2", "schedule.batch=4",
    "schedule.steps=300", "schedule.validate_every=150", "schedule.validated=16",
    "schedule.learning_rate=0.008",
)  # fmt: skip
"""Of all pretraining; for scans of 64 rings and 1,024 steps of the simulated cell."""
SEGMENTING = (
    "schedule.batch=4", "schedule.steps=150", "schedule.validate_every=75",
    "schedule.validated=12", "schedule.learning_rate=0.008",
)  # fmt: skip
"""Of all fine-tuning, from scratch or not."""
CONTRAST, JOINT, BALANCED = "contrast", "joint", "joint-balanced"
RECIPES = {
    CONTRAST: tuple(f"loss.{name}=0" for name in vars(LossSettings()) if name != "contrast"),
    JOINT: (),
    # The gradients of these two outweigh all others, at a cost to what a probe finds.
    BALANCED: ("loss.contrast=0.1", "loss.codes=0.1"),
    "joint-no-contrast": ("loss.contrast=0",),
    "joint-no-images": ("loss.image=0", "loss.geometry=0"),
    "joint-no-rays": ("loss.occupancy=0", "loss.intensity=0"),
    "joint-no-codes": ("loss.codes=0", "loss.commitment=0"),
    "joint-no-separation": ("loss.separation=0",),
}
"""What is pretrained: overrides by name."""
SHARES = (0.01, 0.1)
"""Of the labelled training scans; the first one for the ablation."""
COMPARED = (CONTRAST, JOINT, BALANCED)
"""What all is asked of; the others are for the ablation alone."""


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
) -> None:
    """Pretrain all recipes, learn classes from them, and write three tables."""
    console, scans = Console(), read_clouds(cell)
    for seed in range(seeds):
        for name, recipe in RECIPES.items():
            own = (f"image.weights={encoder}", f"schedule.seed={seed}")
            settings = read_overrides([*RECIPE, *recipe, *own])
            folder = out / name / f"seed{seed}"
            pretrain([scans], folder, settings, cache=out / "cache", console=console)
    for name, data, of, encoders, modes, shares in (
        ("lidar-shares", scans, part, COMPARED, tuple(MODES), SHARES),
        ("lidar-ablation", scans, part, tuple(RECIPES), (PROBE,), SHARES[:1]),
        ("lidar-retrieval", read_clouds(pairs), TEST, COMPARED, (), ()),
    ):
        asked = Asked(tuple(out / n for n in encoders), modes, shares, tuple(range(seeds)), of)
        write(results / name, data, asked, out / "classes", console)


def write(stem: Path, data: PointClouds, asked: Asked, out: Path, console: Console) -> None:
    """One table: as JSON, as Markdown and as a picture."""
    settings = evaluation_settings(asked.encoders, asked.seeds[0], SEGMENTING)
    save(compare(data, asked, settings, out, console), stem)


if __name__ == "__main__":
    typer.run(study)
