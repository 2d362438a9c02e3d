"""Demonstrations: live and offline agree (`demo`), and asking before lifting pays (`picking`)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from xmodal_ros.cli import SharedData, shared_data
from xmodal_ros.core.errors import DataError, SettingsError


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(demo)
    app.command()(pick)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out/demo"),
    recording: Annotated[
        Path | None, typer.Option(help="Recording to play instead of the demonstration's.")
    ] = None,
    data: SharedData = None,
    bundle: Annotated[str, typer.Option(help="Folder of the model bundle.")] = "",
) -> None:
    """Play a recording through the live node, evaluate it offline, and prove that both agree."""
    if not importlib.util.find_spec("rclpy"):
        raise SettingsError("ROS 2 is not here", where="demo", do="Run `make demo`, or source it")
    if recording and not recording.exists():
        raise DataError("there is no such file or folder", where=str(recording))
    folder = shared_data(data)
    from xmodal_ros.demo.run import run

    run(out, recording, folder, bundle)


def pick(
    out: Annotated[Path, typer.Argument(help="Folder for the results; one begun is finished.")],
    picks: Annotated[int, typer.Option(min=1, help="Of each strategy.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the first robot.")] = 10_000,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="lift, strongest, twice or assess; can be repeated, all if not named"),
    ] = None,
    bundle: Annotated[str, typer.Option(help="Folder of the model bundle.")] = "",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting, such as attempts=2."),
    ] = None,
    film: Annotated[
        int, typer.Option(min=0, help="Film this pick of the first robot, and make no other.")
    ] = 0,
) -> None:
    """Pick objects in the simulated cell, with and without asking whether the grasp holds."""
    for package, do in (
        ("rclpy", "Source ROS 2"),
        ("mujoco", "pip install -r requirements/sim.txt"),
        ("py_trees", "pip install -r requirements/trees.txt"),
    ):
        if not importlib.util.find_spec(package):
            raise SettingsError("the package is not installed", where=package, do=do)
    from xmodal_ros.core.declare import from_mapping
    from xmodal_ros.data.settings_file import assignment
    from xmodal_ros.demo.picking.settings import PickSettings

    values = dict(assignment(text) for text in overrides or [])
    settings = from_mapping(PickSettings, values, "pick")
    from xmodal_ros.demo.picking.tree import STRATEGIES

    chosen = list(dict.fromkeys(strategy or STRATEGIES))
    unknown = [name for name in chosen if name not in STRATEGIES]
    if unknown:
        raise SettingsError(
            f"got '{unknown[0]}'", where="--strategy", expected="one of " + ", ".join(STRATEGIES)
        )
    from rich.console import Console

    from xmodal_ros.demo.picking import run

    if film:
        run.film(out, seed, film, settings, bundle)
    else:
        run.run(out, chosen, picks, seed, settings, bundle, Console())
