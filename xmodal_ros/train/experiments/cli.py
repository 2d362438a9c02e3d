"""The `xmodal experiment` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def experiment_command(
    name: Annotated[str, typer.Argument(help="Of the experiment, such as conditioning.")],
    roots: Annotated[list[Path], typer.Argument(help="Folders of visual-tactile data sets.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the runs; equal ones are trained once.")
    ] = Path("out/experiments"),
    results: Annotated[Path, typer.Option(help="Folder for table and picture.")] = Path(
        "docs/results"
    ),
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="What `xmodal pretrain` wrote; several for `encoders`."),
    ] = None,
    mvitac: Annotated[str, typer.Option(help="The same, with MViTac's objective.")] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each variant.")] = 3,
    test: Annotated[
        bool, typer.Option(help="Read the test part, too; not while anything is still chosen.")
    ] = True,
    test_data: Annotated[
        Path | None,
        typer.Option(help="Data set that is the test part, all of it, in place of the roots'."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="GROUP.NAME=VALUE", help="One setting, of all variants."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Use a split that leaks.")] = False,
) -> None:
    """Train variants alike and write their table and picture; one that was killed continues."""
    from xmodal_ros.train.experiments.catalogue import check_name

    check_name(name)

    import rich

    from xmodal_ros.train.experiments.run import run_experiment
    from xmodal_ros.train.touch.run import open_datasets
    from xmodal_ros.train.touch.settings import read_overrides

    console = rich.get_console()
    settings = read_overrides(overrides or [])
    data = open_datasets(roots, settings, force=force)
    other = open_datasets([test_data], settings, force=force) if test_data else [None]
    paths = run_experiment(
        name,
        data,
        out,
        results,
        overrides or [],
        encoders=encoder or [],
        mvitac=mvitac,
        seeds=seeds,
        test=test,
        test_data=other[0],
        console=console,
    )
    page = paths[1].read_text(encoding="utf-8")
    console.print(page, markup=False, highlight=False, soft_wrap=True)
    for path in paths:
        console.print(f"[bold]{path}[/]", soft_wrap=True)
