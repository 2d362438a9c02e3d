"""The `xmodal sim` commands: data sets and the demonstration recording of the simulated cell."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from xmodal_ros.core.errors import DataError
from xmodal_ros.progress import progress_bar

sim_app = typer.Typer(no_args_is_help=True, help="Make data with the simulated robot cell.")

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One setting, such as scene.objects=1."),
]


@sim_app.command("dataset")
def dataset(
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    episodes: Annotated[int, typer.Option(min=1, help="Number of episodes.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of everything; the same gives the same.")] = 0,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0 for one per core.")] = 0,
    camera: Annotated[
        str, typer.Option(help="Which is to be the stream camera: camera or camera_wrist.")
    ] = "camera",
    overrides: Overrides = None,
) -> None:
    """Write simulated episodes as MCAP, and a split by object, texture and gel unit.

    An interrupted run goes on where it was.
    """
    _check_simulator()
    from xmodal_ros.sim.dataset import Facts, make_dataset
    from xmodal_ros.sim.settings import read_overrides

    settings, console = read_overrides(overrides or []), Console()
    with progress_bar(console, "simulating", episodes) as bar:
        done, seconds = 0, 0.0
        bar.rate(0)

        def listen(facts: Facts, made: bool) -> None:
            nonlocal done, seconds
            done, seconds = done + 1, seconds + made * facts.seconds
            rate = f"{bar.rate(seconds):.1f} times real time"
            bar.update(done, f"{done}/{episodes} episodes, {rate}")

        found = make_dataset(
            out,
            episodes,
            seed,
            settings,
            camera=camera,
            jobs=jobs or os.cpu_count() or 1,
            listener=listen,
        )
    outcomes = Counter(grasp["outcome"] for episode in found for grasp in episode.grasps)
    grasps = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    seconds = sum(episode.seconds for episode in found if not episode.diverged)
    console.print(f"{seconds:.0f} s; grasps: {grasps or 'none'}", highlight=False)
    for episode in found:
        if episode.diverged:
            console.print(
                f"[yellow]{episode.name} is left out: the solver diverged at "
                f"{episode.seconds:.2f} s with seed {episode.seed}[/]"
            )
    console.print(f"[bold]{out}[/]", soft_wrap=True)


@sim_app.command("demo")
def demo(out: Annotated[Path, typer.Argument(help="Folder of the recording to write.")]) -> None:
    """Write the labelled demonstration recording: every sensor, a grasp that holds and one not."""
    if out.exists():
        raise DataError("exists already", where=str(out), do="Name another, or remove it")
    _check_simulator()
    from xmodal_ros.sim.demonstration import record_demonstration

    typer.echo(record_demonstration(out))


def _check_simulator() -> None:
    """Tell that the simulator is missing before anything heavy is imported."""
    if not importlib.util.find_spec("mujoco"):
        raise DataError(
            "the package is not installed",
            where="mujoco",
            do="pip install -r requirements/sim.txt, or run it after `make demo`.",
        )
