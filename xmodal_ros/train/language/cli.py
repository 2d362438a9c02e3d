"""The `xmodal language` commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xmodal_ros.core.types import Modality

language_app = typer.Typer(
    no_args_is_help=True, help="A language model that reads camera and IMU: train, ask."
)


@language_app.command("train")
def train_command(
    root: Annotated[Path, typer.Argument(help="Data set of the simulated cell.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the runs; each seed is a describer.")
    ] = Path("out/language"),
    results: Annotated[Path, typer.Option(help="Folder for the tables.")] = Path("docs/results"),
    seeds: Annotated[int, typer.Option(min=1, help="Runs.")] = 3,
    recordings: Annotated[
        int, typer.Option(min=0, help="Most recordings of each part; 0 for all.")
    ] = 0,
    test: Annotated[
        bool, typer.Option(help="Read the test part, too; not while anything is still chosen.")
    ] = True,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="GROUP.NAME=VALUE", help="One setting, of all seeds."),
    ] = None,
) -> None:
    """Train a miniature that answers questions, freeze it, let it read an IMU, and ask it."""
    from xmodal_ros.core.errors import DataError
    from xmodal_ros.train.language.settings import read_overrides

    settings = read_overrides(overrides or [])
    if not root.is_dir():
        raise DataError("there is no such folder", where=str(root), expected="a data set")

    import rich

    from xmodal_ros.train.language.run import run_language

    console = rich.get_console()
    paths = run_language(
        root, out, results, settings, seeds=seeds, most=recordings, test=test, console=console
    )
    for path in paths:
        console.print(f"[bold]{path}[/]", soft_wrap=True)


@language_app.command("ask")
def ask_command(
    path: Annotated[Path, typer.Argument(help="Folder of a describer.")],
    recording: Annotated[Path, typer.Argument(help="rosbag2 recording, sqlite3 or MCAP.")],
    question: Annotated[str, typer.Argument(help="What to ask, in quotes.")],
    at: Annotated[float, typer.Option(min=0.0, help="Seconds after the first set.")] = 0.0,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="YAML file with the settings that differ.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One setting.")
    ] = None,
) -> None:
    """Ask a describer about a moment of a recording."""
    from xmodal_ros.data.settings_file import load_settings

    wanted = load_settings(settings, [*(overrides or []), f"language.path={path}"])
    from xmodal_ros.eval.describing import describe_recording

    said = describe_recording(recording, wanted, question, at)
    typer.echo(said.text)
    used = ", ".join(m.value for m in Modality if m.bit & said.used)
    typer.echo(
        f"from {used}, {said.tokens} tokens in {said.seconds:.2f} s, "
        f"confidence {said.confidence:.2f}, ended by {said.ended}"
    )
