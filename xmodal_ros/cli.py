"""The `xmodal` commands without ROS: evaluate recordings, look after bundles, train.

Arguments are checked before anything heavy is imported. `__main__` adds the commands that need
ROS.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.cli import data_app
from xmodal_ros.data.time_offsets.cli import calibrate_time_command
from xmodal_ros.eval.adapt_cli import adapt_command
from xmodal_ros.search.cli import find_command, index_command
from xmodal_ros.sim.cli import sim_app
from xmodal_ros.train.align.cli import align_command
from xmodal_ros.train.align.imu_activity_table import people_command
from xmodal_ros.train.experiments.cli import experiment_command
from xmodal_ros.train.joint.cli import joint_app
from xmodal_ros.train.language.cli import language_app
from xmodal_ros.train.lidar.cli import lidar_app
from xmodal_ros.train.pretrain.cli import pretrain_command
from xmodal_ros.train.touch.cli import train_command

app = typer.Typer(
    name="xmodal",
    help="Cross-modal perception for manipulators: camera, tactile, IMU and LiDAR as one sense.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
bundle_app = typer.Typer(no_args_is_help=True, help="Look into, check and export model bundles.")
app.add_typer(bundle_app, name="bundle")
app.add_typer(sim_app, name="sim")
app.add_typer(data_app, name="data")
app.add_typer(language_app, name="language")
app.add_typer(lidar_app, name="lidar")
app.add_typer(joint_app, name="joint")
app.command("pretrain")(pretrain_command)
app.command("train")(train_command)
app.command("experiment")(experiment_command)
app.command("align")(align_command)
app.command("people")(people_command)
app.command("index")(index_command)
app.command("find")(find_command)
app.command("adapt")(adapt_command)
app.command("calibrate-time")(calibrate_time_command)

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="YAML file with the settings that differ.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One setting, such as sync.timeout_s=0.2."),
]

SharedData = Annotated[
    Path | None,
    typer.Option(
        envvar="XMODAL_DATA",
        help="Folder of the real recordings; ../shared/data beside the repository if not named. "
        "Where there is none, the simulated cell makes the recording.",
    ),
]


@app.callback()
def _options() -> None:
    """Keep `xmodal COMMAND` even while there is a single command."""


@app.command("eval")
def evaluate(
    recordings: Annotated[list[Path], typer.Argument(help="rosbag2 recordings, sqlite3 or MCAP.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out/eval"),
    bundle: Annotated[str, typer.Option(help="Folder of the model bundle.")] = "",
    backend: Annotated[str, typer.Option(help="auto, torch, openvino or onnxruntime.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "",
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16 or bf16.")] = "",
    settings: SettingsFile = None,
    overrides: Overrides = None,
) -> None:
    """Predict over recordings, compare with their labels, write MCAP, JSON and an HTML report."""
    chosen = {"bundle": bundle, "backend": backend, "device": device, "precision": precision}
    named = [f"inference.{name}={value}" for name, value in chosen.items() if value]
    from xmodal_ros.data.settings_file import load_settings

    effective = load_settings(settings, [*(overrides or []), *named])
    for recording in recordings:
        if not recording.exists():
            raise DataError("there is no such file or folder", where=str(recording))
    folders = _result_folders(recordings, out)

    from rich.console import Console

    from xmodal_ros.eval import evaluate as evaluation
    from xmodal_ros.eval import show

    console = Console()
    for recording, folder in zip(recordings, folders, strict=True):
        with show.progress_bar(console, recording.name) as listener:
            summary = evaluation.evaluate(recording, folder, effective, listener)
        console.print(show.table(summary))
        for line in show.lines(summary):
            console.print(line)
        console.print(f"[bold]{folder / evaluation.REPORT}[/]", soft_wrap=True)


@app.command("record-demo")
def record_demo(
    out: Annotated[Path, typer.Argument(help="Folder of the recording to write.")],
    data: SharedData = None,
) -> None:
    """Write the demonstration recording: real sensor data on one clock, or simulated ones."""
    if out.exists():
        raise DataError("exists already", where=str(out), do="Name another, or remove it")
    typer.echo(make_demo_recording(out, shared_data(data)))


@app.command("settings")
def print_settings(settings: SettingsFile = None, overrides: Overrides = None) -> None:
    """Print the effective settings as YAML; redirect them into a file to begin your own."""
    import yaml

    from xmodal_ros.data.settings_file import load_settings

    effective = load_settings(settings, overrides or [])
    typer.echo(yaml.safe_dump(effective.to_mapping(), sort_keys=False), nl=False)


@bundle_app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Folder of the bundle; its bundle.yaml changes.")],
    recording: Annotated[Path, typer.Argument(help="Recording whose observations are used.")],
    count: Annotated[int, typer.Option(min=1, help="Number of observations.")] = 50,
) -> None:
    """Measure every backend against torch fp32 here, and record what `auto` chooses by."""
    from xmodal_ros.eval.evaluate import examples
    from xmodal_ros.runtime.bundle import Bundle
    from xmodal_ros.runtime.export import measure_backends, record_backends

    bundle = Bundle.load(folder)
    record_backends(bundle, measure_backends(bundle, examples(recording, bundle, count)))
    show_bundle(folder)


@bundle_app.command("show")
def show_bundle(
    folder: Annotated[Path | None, typer.Argument(help="Empty for the installed one.")] = None,
) -> None:
    """Print what a bundle reads and answers, how good it is, and how fast each backend was."""
    from rich.console import Console
    from rich.table import Table

    from xmodal_ros.runtime.bundle import Bundle

    bundle, console = Bundle.load(folder or ""), Console()
    console.print(f"[bold]{bundle.id}[/] in {bundle.path}, {bundle.licence}", soft_wrap=True)
    console.print(f"weights SHA-256 {bundle.weights_hash}", soft_wrap=True)
    inputs = Table(
        "stream", "modality", "window", "image, px", title="inputs", title_justify="left"
    )
    for name, spec in bundle.inputs.items():
        size = f"{spec.width} x {spec.height}" if spec.width else ""
        inputs.add_row(name, spec.modality.value, str(spec.window), size)
    heads = Table("head", "task", "streams", "labels", title="heads", title_justify="left")
    for name, head in bundle.heads.items():
        streams = ", ".join(bundle.spec.heads[name].streams)
        heads.add_row(name, head.task, streams, ", ".join(head.labels))
    backends = Table(
        "backend", "device", "precision", "difference", "passed", "p50, ms", "p10 to p90, ms",
        title="measured when exported", title_justify="left",
    )  # fmt: skip
    for record in bundle.backends:
        spread = f"{record.milliseconds_p10:.2f} to {record.milliseconds_p90:.2f}"
        backends.add_row(
            record.backend, record.device, record.precision, f"{record.difference:.1e}",
            "yes" if record.passed else "no", f"{record.milliseconds:.2f}", spread,
        )  # fmt: skip
    console.print(inputs, heads, backends)


@bundle_app.command("check")
def check(folder: Annotated[Path, typer.Argument(help="Folder of the bundle.")]) -> None:
    """Name everything that is wrong with a bundle; exit code 1 if anything is."""
    from xmodal_ros.runtime.bundle import check_bundle

    problems = check_bundle(folder)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{folder}: nothing is wrong with it")


def shared_data(named: Path | None) -> Path | None:
    """Folder of the real recordings, None where there is none.

    Raises:
        DataError: the folder that was named is not there.
    """
    if named and not named.is_dir():
        raise DataError("there is no such folder", where=str(named), do="See --data, XMODAL_DATA")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return named or (beside if beside.is_dir() else None)


def make_demo_recording(out: Path, data: Path | None) -> Path:
    """Write the demonstration recording from the shared recordings, or simulate one without them.

    Raises:
        DataError: `out` exists, or a file of the shared recordings is missing.
    """
    if data:
        from xmodal_ros.data.stitch import record_shared

        return record_shared(out, data)
    from xmodal_ros.sim.demonstration import RAW, record_demonstration

    return record_demonstration(out, RAW, "camera_wrist")


def _result_folders(recordings: Sequence[Path], out: Path) -> list[Path]:
    """The folder itself for one recording, a folder in it for each of several."""
    if len(recordings) == 1:
        return [out]
    names = [recording.stem for recording in recordings]
    if len(set(names)) < len(names):
        raise DataError(
            "two recordings have the same name",
            where=", ".join(sorted({n for n in names if names.count(n) > 1})),
            do="Evaluate them one by one, each with its own --out",
        )
    return [out / name for name in names]
