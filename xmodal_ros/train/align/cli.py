"""The `xmodal align` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def align_command(
    roots: Annotated[list[Path], typer.Argument(help="Data sets of IMUs, some with a camera.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("out/align"),
    encoder: Annotated[
        str, typer.Option(help="What `xmodal pretrain` wrote; ImageNet weights if not named.")
    ] = "",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="GROUP.NAME=VALUE", help="One setting, such as loss.contrastive=0."
        ),
    ] = None,
) -> None:
    """Train an IMU encoder on activities and on what a frozen vision encoder sees with it."""
    from xmodal_ros.train.align.settings import read_overrides, vision_overrides

    settings = read_overrides([*vision_overrides(encoder), *(overrides or [])])
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from xmodal_ros.data.inertial import read_tracks
    from xmodal_ros.data.inertial.problems import screened
    from xmodal_ros.train.align.run import align, prepare

    console = Console()
    data = [screened(read_tracks(root)) for root in roots]
    for problem in (problem for one in data for problem in one.problems):
        console.print(f"[yellow]left out: {escape(str(problem))}[/]", highlight=False)
    examples = prepare(data, settings, out / "cache")
    run = align(examples, [root.name for root in roots], out, settings, console=console)
    found = run.record.get("validation")
    if found:
        table = Table(
            "windows", "accuracy", "balanced", "AUC", "ECE", title="validation, IMU alone"
        )
        values = [found[name] for name in ("accuracy", "balanced_accuracy", "auc", "ece")]
        table.add_row(str(found["count"]), *(f"{value:.3f}" for value in values))
        console.print(table)
    for why, count in run.record["left_out"].items():
        console.print(f"[yellow]{count} windows are left out: {why}[/]", highlight=False)
    console.print(f"[bold]{run.folder}[/]", soft_wrap=True)
