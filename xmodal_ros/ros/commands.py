"""The commands that join a ROS 2 graph: `xmodal node`, `robot`, `describe` and others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer

from xmodal_ros.core.errors import SettingsError

ROS_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(context_settings=ROS_ARGUMENTS)(node)
    app.command(context_settings=ROS_ARGUMENTS)(robot)
    app.command(context_settings=ROS_ARGUMENTS)(describe)
    app.command(context_settings=ROS_ARGUMENTS)(doctor)
    app.command()(ask)
    app.command()(play)
    app.command(context_settings=ROS_ARGUMENTS)(cell)


SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="YAML file with the settings that differ.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One setting, as for `xmodal eval`."),
]


def node(
    context: typer.Context, settings: SettingsFile = None, overrides: Overrides = None
) -> None:
    """Run the live node: subscribe, predict, publish. What follows `--ros-args` goes to ROS."""
    values, others = _parameters(settings, overrides)

    from xmodal_ros.ros import spin
    from xmodal_ros.ros.node import make

    raise typer.Exit(spin.run(lambda: make(values, others), context.args, autostart=True))


def robot(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML file of the robot, see config/robots.")],
    arm: Annotated[str, typer.Option(help="Of the file; may be left out where it is one.")] = "",
    autostart: Annotated[
        bool, typer.Option(help="Configure and activate the nodes, or leave that to others.")
    ] = True,
) -> None:
    """Run one arm: its gel cameras and perception, in one process.

    What follows `--ros-args` goes to ROS.
    """
    from xmodal_ros.ros.robot import run

    raise typer.Exit(run(file, arm, context.args, autostart=autostart))


def doctor(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="YAML file of a robot, or of settings; the default streams without."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="how long to listen [s]")] = 5.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Look whether the streams come as perception needs them; exit code 1 where they do not.

    What follows `--ros-args` goes to ROS, such as `-r __ns:=/left`.
    """
    from xmodal_ros.ros.doctor import examine, wanted
    from xmodal_ros.ros.doctor_show import show, text

    report = examine(wanted(file), seconds, context.args)
    if json:
        typer.echo(text(report))
    else:
        show(report)
    raise typer.Exit(0 if report.healthy else 1)


def describe(
    context: typer.Context, settings: SettingsFile = None, overrides: Overrides = None
) -> None:
    """Run the node that answers questions with a language model, at the lowest priority.

    It takes the settings of `xmodal node`; language.path has to be among them. What follows
    `--ros-args` goes to ROS.
    """
    values, others = _parameters(settings, overrides)

    from xmodal_ros.ros.describe import run

    raise typer.Exit(run(values, others, context.args))


def ask(
    question: Annotated[str, typer.Argument(help="In any language that the model knows.")],
    node: Annotated[str, typer.Option(help="node to ask")] = "/describe",
    timeout: Annotated[
        float, typer.Option(min=0.1, help="longest wait for the node, then for the answer [s]")
    ] = 20.0,
) -> None:
    """Ask `xmodal describe` what the sensors show; exit code 1 where it cannot say."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from xmodal_ros.ros.ask import ask as asked

    with Live(console=Console(stderr=True), transient=True) as live:
        answer = asked(question, node, timeout, lambda text: live.update(Text(text)))
    if answer.text:
        typer.echo(answer.text)
    if answer.message:
        typer.echo(answer.message, err=True)
    raise typer.Exit(min(answer.error_code, 1))


def play(
    recording: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3 file")],
    rate: Annotated[float, typer.Option(min=0.01, help="recorded seconds per second")] = 1.0,
    loop: Annotated[bool, typer.Option(help="start again at the end")] = False,
    lock_step: Annotated[
        bool, typer.Option(help="wait for the node to be done with each message")
    ] = False,
    clock: Annotated[bool, typer.Option(help="publish the recording's time on /clock")] = True,
    topic: Annotated[
        list[str] | None, typer.Option(help="publish this topic only; can be repeated")
    ] = None,
    start: Annotated[float, typer.Option(min=0.0, help="skip this much [s]")] = 0.0,
    duration: Annotated[float, typer.Option(min=0.0, help="stop after this much [s]")] = float(
        "inf"
    ),
    node: Annotated[str, typer.Option(help="node to be in lock-step with")] = "/perception",
    wait_for: Annotated[
        list[str] | None,
        typer.Option(help="start when this topic has a subscriber; can be repeated"),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="longest wait for a subscriber or the node [s]")
    ] = 10.0,
) -> None:
    """Publish a recording into the ROS graph. Nodes that hear it need `use_sim_time`."""
    from xmodal_ros.ros.play import PlayOptions
    from xmodal_ros.ros.play_with_bar import play_recording

    options = PlayOptions(
        rate=rate,
        loop=loop,
        lock_step=lock_step,
        clock=clock,
        topics=tuple(topic or ()),
        start_s=start,
        duration_s=duration,
        node=node,
        wait_for=tuple(wait_for or ()),
        timeout_s=timeout,
    )
    play_recording(recording, options)


def cell(
    context: typer.Context,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything; 0 if not named.")] = None,
    autonomous: Annotated[
        bool | None,
        typer.Option(
            "--autonomous/--commanded",
            help="Run the scripted robot, as it does if not told, or wait for ~/move_arm.",
        ),
    ] = None,
    clock: Annotated[
        bool | None, typer.Option("--clock", help="Publish the simulated time on /clock.")
    ] = None,
    lock_step: Annotated[
        bool | None, typer.Option("--lock-step", help="Wait for the perception node.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting, such as scene.objects=1."),
    ] = None,
) -> None:
    """Run the simulated robot cell. What follows `--ros-args` goes to ROS."""
    if not importlib.util.find_spec("mujoco"):
        raise SettingsError(
            "the package is not installed",
            where="mujoco",
            do="pip install -r requirements/sim.txt",
        )
    from xmodal_ros.data.settings_file import assignment

    values = dict(assignment(text) for text in overrides or [])
    named = {"seed": seed, "autonomous": autonomous, "clock": clock, "lock_step": lock_step}
    values |= {name: value for name, value in named.items() if value is not None}

    from xmodal_ros.ros.simulated_cell import run

    raise typer.Exit(run(values, context.args))


def _parameters(
    settings: Path | None, overrides: list[str] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings, nested, and parameters of any node; empty where nothing was named."""
    from xmodal_ros.data.settings_file import load_settings, node_parameters

    chosen = settings or overrides
    values = load_settings(settings, overrides or []).to_mapping() if chosen else {}
    return values, node_parameters(settings) if settings else {}
