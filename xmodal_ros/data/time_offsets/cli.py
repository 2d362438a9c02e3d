"""The command `xmodal calibrate-time`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmodal_ros.core.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from xmodal_ros.core.settings import Settings
    from xmodal_ros.data.time_offsets.estimate import Found
    from xmodal_ros.data.time_offsets.motion import Motion


def calibrate_time_command(
    recordings: Annotated[
        list[Path], typer.Argument(help="rosbag2 recordings of one robot, sqlite3 or MCAP.")
    ],
    write: Annotated[
        Path | None, typer.Option(help="Settings file to write, with the offsets in it.")
    ] = None,
    picture: Annotated[
        Path, typer.Option(help="PNG to write: motion of each stream, and how clear its peak is.")
    ] = Path("out/calibrate-time.png"),
    search_s: Annotated[float, typer.Option(help="Largest offset that is looked for, s.")] = 0.3,
    gel_lag_s: Annotated[
        float,
        typer.Option(
            help="How late a gel's skin follows the force on it: damping over stiffness, s."
        ),
    ] = 0.0,
    most_spread_s: Annotated[
        float, typer.Option(help="An offset that is less certain than this is not given, s.")
    ] = 0.005,
    firm: Annotated[
        float, typer.Option(help="Least correlation of a gel, which tells a firm grip.")
    ] = 0.97,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="YAML file with the settings that differ.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting, as for `xmodal eval`."),
    ] = None,
) -> None:
    """Find how far the clocks of the sensors are apart, from what moves in recordings.

    Record a robot that shakes what it holds. Exit code 1 if no offset can be told.
    """
    from xmodal_ros.data.settings_file import load_settings

    effective = load_settings(settings, overrides or [])
    if write and write.exists():
        raise DataError("exists already", where=str(write), do="Name another, or remove it")
    from rich.console import Console

    from xmodal_ros.data.time_offsets.estimate import OffsetSettings, estimate
    from xmodal_ros.data.time_offsets.picture import save_picture

    options = OffsetSettings(search_s, gel_lag_s, most_spread_s, firm)
    console = Console()
    motions = [_read(console, recording, effective) for recording in recordings]
    with console.status("comparing") as status:
        found = estimate(motions, effective, options, lambda s: status.update(f"comparing {s}"))
    console.print(_table(found, effective))
    for offset in found.offsets:
        if offset.why:
            console.print(f"[yellow]{offset.stream}: {offset.why}[/]", soft_wrap=True)
    save_picture(found, picture)
    console.print(f"[bold]{picture}[/]", soft_wrap=True)
    told = {o.stream: o.seconds for o in found.offsets if o.seconds is not None}
    if not told.keys() - {found.anchor}:
        raise typer.Exit(1)
    if write:
        _write(write, effective, told)
        console.print(f"[bold]{write}[/]", soft_wrap=True)


def _read(console: Console, recording: Path, settings: Settings) -> dict[str, Motion]:
    """The motion in a recording, under a progress bar."""
    from xmodal_ros.data.time_offsets.motion import read_motion
    from xmodal_ros.progress import progress_bar

    with progress_bar(console, recording.name, 1.0) as bar:

        def listen(done_s: float, total_s: float) -> None:
            bar.update(done_s / total_s if total_s else 1.0, f"{done_s:.1f} of {total_s:.1f} s")

        motions = read_motion(recording, settings, listen)
        bar.update(1.0, "")
    for motion in motions.values():
        if motion.refused:
            console.print(f"[yellow]{motion.stream}: {motion.refused} messages cannot be used[/]")
    return motions


def _table(found: Found, settings: Settings) -> Table:
    from rich.table import Table

    table = Table(
        "stream", "was, ms", "offset_s, ms", "±, ms", "correlation", "windows",
        title=f"to the clock of {found.anchor}, compared with {found.reference}",
    )  # fmt: skip
    for stream, offset in zip(settings.streams, found.offsets, strict=True):
        told, compared = offset.seconds is not None, offset.comparison
        table.add_row(
            stream.name,
            f"{1e3 * stream.offset_s:.1f}",
            f"{1e3 * offset.seconds:.1f}" if offset.seconds is not None else "unknown",
            f"{1e3 * offset.spread_s:.1f}" if told and stream.name != found.anchor else "",
            f"{compared.correlation:.2f}" if compared else "",
            str(len(compared.information)) if compared else "",
        )
    return table


def _write(path: Path, settings: Settings, told: Mapping[str, float]) -> None:
    """Write all settings with the offsets that were found; the others stay as they were."""
    import yaml

    mapping = settings.to_mapping()
    for stream, seconds in told.items():
        mapping["streams"][stream]["offset_s"] = round(seconds, 4)
    path.write_text(yaml.safe_dump(mapping, sort_keys=False), encoding="utf-8")
