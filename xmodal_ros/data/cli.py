"""The `xmodal data` commands: look after data sets of others before training on them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from xmodal_ros.progress import progress_bar

if TYPE_CHECKING:
    from xmodal_ros.data.visual_tactile.check import Report

data_app = typer.Typer(no_args_is_help=True, help="Check data sets.")


@data_app.callback()
def _options() -> None:
    """Keep `xmodal data COMMAND` even while there is a single command."""


@data_app.command("check")
def check(
    root: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    kind: Annotated[
        str, typer.Option(help="Layout, such as touch_and_go; recognised if not named.")
    ] = "",
    split: Annotated[
        str, typer.Option(help="official or disjoint; the layout's default if not named.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, without a progress bar.")
    ] = False,
) -> None:
    """Name everything that is wrong with a data set, and count it; exit code 1 if anything is."""
    if as_json:
        report = _check(root, kind, split)
        typer.echo(json.dumps(report.to_mapping(), indent=1))
    else:
        console = Console()
        with progress_bar(console, "looking at it") as bar:

            def listen(done: int, total: int) -> None:
                bar.update(done, f"{done}/{total}, {bar.rate(done):.0f} per s", total=total)

            report = _check(root, kind, split, listen)
        _show(console, report)
    if not report.good:
        raise typer.Exit(1)


def _check(
    root: Path,
    kind: str,
    split: str,
    listener: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Check what is in a folder: images, inertial sensors or LiDARs, in recordings all."""
    from xmodal_ros.data import inertial, point_cloud, visual_tactile
    from xmodal_ros.data.inertial.check import check as check_tracks
    from xmodal_ros.data.inertial.check import join
    from xmodal_ros.data.point_cloud.check import check as check_clouds
    from xmodal_ros.data.point_cloud.check import join as join_clouds
    from xmodal_ros.data.visual_tactile.check import check as check_images

    of_clouds = point_cloud.KINDS.keys() - visual_tactile.KINDS.keys()
    if kind in of_clouds or (not kind and point_cloud.recognise(root) in of_clouds):
        return check_clouds(point_cloud.read_clouds(root, kind, split), listener)
    without_images = inertial.KINDS.keys() - visual_tactile.KINDS.keys()
    if kind in without_images or (not kind and inertial.recognise(root) in without_images):
        return check_tracks(inertial.read_tracks(root, kind, split))
    data = visual_tactile.read_dataset(root, kind, split)
    report = check_images(data, listener)
    if data.kind in (visual_tactile.recordings.KIND, visual_tactile.simulated.KIND):
        report = join(report, inertial.read_tracks(root, inertial.recordings.KIND, split))
        clouds = point_cloud.read_clouds(root, point_cloud.recordings.KIND, split)
        report = join_clouds(report, clouds, listener)
    return report


def _show(console: Console, report: Report) -> None:
    from xmodal_ros.data.inertial.problems import PROBLEMS as OF_TRACKS
    from xmodal_ros.data.point_cloud.problems import PROBLEMS as OF_CLOUDS
    from xmodal_ros.data.visual_tactile.example import PROBLEMS as OF_IMAGES

    for problem in report.problems:
        console.print(str(problem), soft_wrap=True, markup=False, highlight=False)
    for note in _gathered(report.notes):
        console.print(f"note: {note}", soft_wrap=True, markup=False, highlight=False)
    parts = Table("part", "examples", "groups", title=f"split '{report.split}'")
    for part, count in report.examples.items():
        parts.add_row(part, str(count), str(report.groups[part]))
    labels = Table("head", "part", "majority", "constant answer", "classes", title="labels")
    for head, by_part in report.heads.items():
        for part, found in by_part.items():
            constant = "" if found.constant is None else f"{found.constant:.1%}"
            classes = ", ".join(f"{name} {count}" for name, count in found.counts.items())
            labels.add_row(head, part, f"{found.majority:.1%}", constant, classes)
    console.print(parts, labels)
    counts = Counter(problem.kind for problem in report.problems)
    kinds = OF_IMAGES + OF_TRACKS + OF_CLOUDS
    told = ", ".join(f"{counts[kind]} {kind}" for kind in kinds if counts[kind])
    verdict = f"problems: {told}" if told else "nothing is wrong with it"
    console.print(f"{report.root} ({report.kind}): {verdict}", soft_wrap=True, highlight=False)


def _gathered(notes: Iterable[str]) -> list[str]:
    """Notes, `where: what`; of those that say the same of many places the first, and how many."""
    same: dict[str, list[str]] = {}
    for note in notes:
        where, _, what = note.partition(": ")
        same.setdefault(what or where, []).append(note)
    return [
        f"{first} (and {len(others)} more like it)" if others else first
        for first, *others in same.values()
    ]
