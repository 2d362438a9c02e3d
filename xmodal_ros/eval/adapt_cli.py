"""The command `xmodal adapt`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def adapt_command(
    recording: Annotated[Path, typer.Argument(help="rosbag2 recording, sqlite3 or MCAP.")],
    name: Annotated[
        str,
        typer.Option(
            help="The material that is touched in it; if not named, the labels of the recording "
            "say which touch is of what."
        ),
    ] = "",
    taught: Annotated[
        str, typer.Option(help="File of the taught materials; it grows (inference.taught).")
    ] = "",
    bundle: Annotated[str, typer.Option(help="Folder of the model bundle.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also where touches are like another material.")
    ] = False,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="YAML file with the settings that differ.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting, as for `xmodal eval`."),
    ] = None,
) -> None:
    """Teach a bundle the materials that are touched in a recording; nothing is trained.

    `xmodal eval` and `xmodal node` know them with the same inference.taught.
    """
    from xmodal_ros.data.settings_file import load_settings

    chosen = {"bundle": bundle, "taught": taught}
    named = [f"inference.{key}={value}" for key, value in chosen.items() if value]
    effective = load_settings(settings, [*(overrides or []), *named])
    from rich.console import Console

    from xmodal_ros.eval.adapt import adapt
    from xmodal_ros.progress import progress_bar

    console = Console()
    with progress_bar(console, "touching", 1.0) as bar:

        def listen(done_s: float, total_s: float) -> None:
            bar.update(done_s / total_s if total_s else 1.0, f"{done_s:.1f} of {total_s:.1f} s")

        lessons = adapt(recording, effective, name, force=force, listener=listen)
        bar.update(1.0, "")
    for lesson in lessons:
        typer.echo(lesson)
    console.print(f"[bold]{effective.inference.taught}[/]", soft_wrap=True)
