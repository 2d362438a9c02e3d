"""The `xmodal train` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_command(
    roots: Annotated[list[Path], typer.Argument(help="Folders of visual-tactile data sets.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("out/touch"),
    encoder: Annotated[
        str, typer.Option(help="What `xmodal pretrain` wrote; ImageNet weights if not named.")
    ] = "",
    lidar: Annotated[
        str,
        typer.Option(help="What `xmodal lidar pretrain` wrote, or a bundle: adds a LiDAR."),
    ] = "",
    bundle: Annotated[
        Path | None, typer.Option(help="Folder to write a bundle for nodes to.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the bundle's weights.")] = "not stated",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="GROUP.NAME=VALUE", help="One setting, such as trunk.fusion=mean."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Use a split that leaks.")] = False,
) -> None:
    """Train heads beside a frozen encoder, calibrate them, and tell how good they are."""
    from xmodal_ros.train.touch.pretrained import encoder_overrides
    from xmodal_ros.train.touch.settings import read_overrides

    settings = read_overrides([*encoder_overrides(encoder), *(overrides or [])])
    if lidar:
        from xmodal_ros.train.touch.lidar import add_lidar

        settings = add_lidar(settings, lidar)
    from rich.console import Console
    from rich.table import Table

    from xmodal_ros.train.touch.bundle import write_bundle
    from xmodal_ros.train.touch.run import open_datasets, prepare, train_touch

    console = Console()
    data = open_datasets(roots, settings, force=force)
    run = train_touch(data, out, settings, console=console)
    table = Table("head", "classes", "accuracy", "balanced", "AUC", "ECE", title="validation")
    for head, found in run.record["validation"].items():
        values = [found[name] for name in ("accuracy", "balanced_accuracy", "auc", "ece")]
        table.add_row(head, str(len(run.labels[head])), *(f"{value:.3f}" for value in values))
    console.print(table)
    for name, why in run.record["left_out"].items():
        console.print(f"[yellow]{name} is left out: {why}[/]", soft_wrap=True, highlight=False)
    if bundle is not None:
        _, _, examples = prepare(data, settings, out / "cache")
        write_bundle(run, examples, bundle, licence=licence)
    console.print(f"[bold]{bundle or run.folder}[/]", soft_wrap=True)
