"""The demonstration: a recording through the live node and offline, and proof that both agree."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from xmodal_ros.cli import SharedData, shared_data
from xmodal_ros.core.errors import DataError, SettingsError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(demo)


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
