"""The `xmodal lidar` commands: pretrain an encoder, and measure what it is good for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

lidar_app = typer.Typer(no_args_is_help=True, help="Train LiDAR encoders beside a camera.")

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="GROUP.NAME=VALUE", help="One setting, such as loss.codes=0."),
]


@lidar_app.command("pretrain")
def pretrain_command(
    roots: Annotated[list[Path], typer.Argument(help="Data sets of LiDAR scans with cameras.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("out/lidar"),
    encoder: Annotated[
        str, typer.Option(help="What `xmodal pretrain` wrote; ImageNet weights if not named.")
    ] = "",
    overrides: Overrides = None,
) -> None:
    """Train a range-view encoder on what a frozen image backbone sees, and on what it does not.

    An interrupted run goes on where it was.
    """
    from xmodal_ros.train.lidar.settings import image_overrides, read_overrides

    settings = read_overrides([*image_overrides(encoder), *(overrides or [])])
    from rich.console import Console
    from rich.table import Table

    from xmodal_ros.data.point_cloud import read_clouds
    from xmodal_ros.train.lidar.pretrain import pretrain

    console = Console()
    run = pretrain([read_clouds(root) for root in roots], out, settings, console=console)
    first, last = run.record["history"][0], run.record["history"][-1]
    table = Table("validation", f"step {first['step']:.0f}", f"step {last['step']:.0f}")
    for name in (name for name in last if name.startswith("validation_")):
        table.add_row(name.removeprefix("validation_"), f"{first[name]:.3f}", f"{last[name]:.3f}")
    console.print(table)
    _tell(console, run.record["left_out"])
    console.print(f"[bold]{run.folder}[/]", soft_wrap=True)


@lidar_app.command("evaluate")
def evaluate_command(
    root: Annotated[Path, typer.Argument(help="Data set with classes of points, or cameras.")],
    encoders: Annotated[
        list[Path] | None,
        typer.Option("--encoder", help="What `xmodal lidar pretrain` wrote; several make rows."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of runs and results.")] = Path(
        "out/lidar-evaluate"
    ),
    results: Annotated[
        Path | None,
        typer.Option(help="Name of tables and picture, such as docs/results/lidar-shares."),
    ] = None,
    part: Annotated[str, typer.Option(help="Measured on: validation, or test at the end.")] = (
        "validation"
    ),
    modes: Annotated[
        list[str] | None, typer.Option("--mode", help="probe or finetune; both if not named.")
    ] = None,
    shares: Annotated[
        list[float] | None,
        typer.Option("--share", help="Of the labels; 0.01, 0.05, 0.1 and 1 if not named."),
    ] = None,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", help="0, 1 and 2 if not named.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Compare encoders with one from scratch: segmentation of points, and retrieval."""
    from xmodal_ros.train.lidar.compare import (
        MODES,
        SEEDS,
        SHARES,
        Asked,
        compare,
        evaluation_settings,
    )

    asked = Asked(
        encoders=tuple(encoders or ()),
        modes=tuple(modes or MODES),
        shares=tuple(shares or SHARES),
        seeds=tuple(seeds or SEEDS),
        part=part,
    )
    settings = evaluation_settings(asked.encoders, asked.seeds[0], overrides or [])
    from rich.console import Console
    from rich.markdown import Markdown

    from xmodal_ros.data.point_cloud import read_clouds
    from xmodal_ros.train.lidar.report import page, save

    console = Console()
    found = compare(read_clouds(root), asked, settings, out, console)
    stem = results or out / "lidar"
    save(found, stem)
    console.print(Markdown(page(found, stem.name)))
    _tell(console, found["left_out"])
    console.print(f"[bold]{stem}.md[/]", soft_wrap=True)


@lidar_app.command("look")
def look_command(
    root: Annotated[Path, typer.Argument(help="Data set of LiDAR scans.")],
    run: Annotated[
        Path | None, typer.Option(help="What `xmodal lidar pretrain` wrote: what it has learned.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="A bundle that gives points a class: what it says.")
    ] = None,
    part: Annotated[str, typer.Option(help="Of the data set.")] = "test",
    number: Annotated[int, typer.Option(min=0, help="Which of the part's scans.")] = 0,
    out: Annotated[Path, typer.Option(help="File to write, .jpg or .png.")] = Path(
        "out/lidar-look.jpg"
    ),
) -> None:
    """Draw a scan, what a camera sees of it, and what networks make of it."""
    from rich.console import Console

    from xmodal_ros.data.point_cloud import read_clouds
    from xmodal_ros.runtime.bundle import Bundle
    from xmodal_ros.train.lidar.look import chosen, look, save
    from xmodal_ros.train.lidar.pretrain import load_run

    data = read_clouds(root)
    drawn = look(
        data,
        chosen(data, part, number),
        load_run(run) if run else None,
        Bundle.load(bundle) if bundle else None,
    )
    save(drawn, out)
    Console().print(f"[bold]{out}[/]", soft_wrap=True)


def _tell(console: Any, left_out: Mapping[str, str]) -> None:
    """Name what was not used, and why."""
    for name, why in left_out.items():
        console.print(f"{name} is left out: {why}", style="yellow", markup=False, highlight=False)
