"""The `xmodal joint` commands: one space for all senses and text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from xmodal_ros.train.joint.encoders import Encoders
    from xmodal_ros.train.joint.run import Material
    from xmodal_ros.train.joint.settings import JointSettings

joint_app = typer.Typer(no_args_is_help=True, help="Train one space for all senses and text.")

Root = Annotated[Path, typer.Argument(help="Data set of recordings with labels.")]
EncoderPaths = Annotated[
    list[Path],
    typer.Option("--encoder", help="Bundle whose frozen encoders are used; the first one counts."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="GROUP.NAME=VALUE", help="One setting, such as fusion.depth=2."),
]


@joint_app.command("train")
def train_command(
    root: Root,
    encoders: EncoderPaths,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("out/joint"),
    overrides: Overrides = None,
) -> None:
    """Train projections of all streams and of text; an interrupted run goes on where it was."""
    from xmodal_ros.train.joint.settings import read_overrides

    settings = read_overrides(overrides or [])
    import rich

    from xmodal_ros.train.joint.run import frozen_encoders, train_joint

    console = rich.get_console()
    _, found = frozen_encoders(root, encoders)
    material = _gather(root, found, settings, out / "cache", console)
    run = train_joint(material, out, settings, console=console)
    console.print(f"[bold]{run.folder}[/]", soft_wrap=True)


@joint_app.command("compare")
def compare_command(
    root: Root,
    encoders: EncoderPaths,
    out: Annotated[
        Path, typer.Option(help="Folder of the runs; equal ones are trained once.")
    ] = Path("out/joint-compare"),
    results: Annotated[Path, typer.Option(help="Table, without suffix.")] = Path(
        "docs/results/joint"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each variant.")] = 3,
    variants: Annotated[
        list[str] | None, typer.Option("--variant", help="Some of them; all if none is named.")
    ] = None,
    test: Annotated[
        bool, typer.Option(help="Read the test part, too; not while anything is still chosen.")
    ] = True,
    overrides: Overrides = None,
) -> None:
    """Train with one positive or several, with and without fusion, and measure the space."""
    from xmodal_ros.core.errors import SettingsError
    from xmodal_ros.train.joint.settings import read_overrides

    settings = read_overrides(overrides or [])
    import rich

    from xmodal_ros.train.joint.compare import VARIANTS, compare, save
    from xmodal_ros.train.joint.run import frozen_encoders

    for name in variants or ():
        if name not in VARIANTS:
            raise SettingsError(
                f"no variant '{name}'",
                where="--variant",
                expected="some of " + "; ".join(VARIANTS),
            )
    console = rich.get_console()
    _, found = frozen_encoders(root, encoders)
    material = _gather(root, found, settings, out / "cache", console)
    table = compare(
        material, out, settings, seeds=seeds, test=test, names=variants or (), console=console
    )
    save(table, results)
    console.print(f"[bold]{results.with_suffix('.md')}[/]", soft_wrap=True)


@joint_app.command("bundle")
def bundle_command(
    root: Root,
    encoders: EncoderPaths,
    space: Annotated[Path, typer.Option(help="Of `xmodal joint train`, with the same encoders.")],
    bundle: Annotated[Path, typer.Option(help="Folder to write.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("out/answers"),
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "not stated",
    steps: Annotated[int, typer.Option(min=1, help="Most optimizer steps.")] = 800,
) -> None:
    """Train heads beside a space, for any subset of the senses, and write a bundle of all."""
    import rich

    from xmodal_ros.train.joint.answers import (
        AnswerSettings,
        MomentExamples,
        ScheduleSettings,
        train_answers,
    )
    from xmodal_ros.train.joint.bundle import sources, write_bundle
    from xmodal_ros.train.joint.run import frozen_encoders, read_joint

    console = rich.get_console()
    bundles, found = frozen_encoders(root, encoders)
    trained = read_joint(space, found)
    material = _gather(root, found, trained.settings, space / "cache", console)
    settings = AnswerSettings(schedule=ScheduleSettings(steps=steps))
    examples = MomentExamples(material.moments)
    run = train_answers(trained, found, examples, out, settings, console=console)
    written = write_bundle(
        run, trained, material.moments, bundle, sources(bundles, run),
        licence=licence, metrics=run.record["validation"],
        training={"data": material.data, "encoders": dict(found.sources)},
        card=f"# {bundle.name}\n\nHeads and one space for all senses, on {material.data}.\n",
    )  # fmt: skip
    console.print(f"[bold]{written.path}[/]", soft_wrap=True)


def _gather(
    root: Path, encoders: Encoders, settings: JointSettings, cache: Path, console: Console
) -> Material:
    from xmodal_ros.data.visual_tactile import open_dataset
    from xmodal_ros.train.joint.run import gather

    return gather(open_dataset(root), encoders, settings.moments, cache, console)
