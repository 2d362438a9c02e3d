"""The `xmodal pretrain` command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def pretrain_command(
    root: Annotated[Path, typer.Argument(help="Folder of a visual-tactile data set.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoint and weights.")] = Path(
        "out/pretrain"
    ),
    kind: Annotated[
        str, typer.Option(help="Layout, such as touch_and_go; recognised if not named.")
    ] = "",
    split: Annotated[
        str, typer.Option(help="official or disjoint; the layout's default if not named.")
    ] = "",
    labelled: Annotated[
        str, typer.Option(help="Only pairs with a label of this head, such as material.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Use a split that leaks.")] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting, as schedule.batch=1024."),
    ] = None,
) -> None:
    """Pretrain encoders on pairs of images; an interrupted run goes on where it was.

    Several GPUs: torchrun --nproc-per-node 4 -m xmodal_ros pretrain ROOT
    """
    from xmodal_ros.data.visual_tactile.pairs import open_pairs

    pairs = open_pairs(root, kind, split, labelled=labelled, force=force)

    from rich.console import Console

    from xmodal_ros.train.pretrain.run import pretrain
    from xmodal_ros.train.pretrain.settings import read_overrides
    from xmodal_ros.train.pretrain.usable import leave_out_unusable

    settings = read_overrides(overrides or [])
    first = os.environ.get("RANK", "0") == "0"  # one of torchrun's processes tells
    console = Console(quiet=not first)
    leave_out_unusable(pairs, out, console, keep=first)
    files = pretrain(settings, pairs, out, console)
    if first:
        for path in files:
            typer.echo(path)
