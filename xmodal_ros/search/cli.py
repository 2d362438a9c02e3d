"""The commands `xmodal index` and `xmodal find`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xmodal_ros.core.errors import SettingsError

if TYPE_CHECKING:
    from xmodal_ros.core.settings import Settings
    from xmodal_ros.runtime.bundle import Bundle
    from xmodal_ros.search.query import Query

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="YAML file with the settings that differ.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One setting, such as sync.timeout_s=0.2."),
]


def index_command(
    recordings: Annotated[list[Path], typer.Argument(help="rosbag2 recordings, sqlite3 or MCAP.")],
    out: Annotated[Path, typer.Option(help="Folder of the index; it grows.")] = Path("index"),
    bundle: Annotated[str, typer.Option(help="Folder of the model bundle.")] = "",
    every: Annotated[
        float, typer.Option(min=0.001, help="Time from one moment to the next, s.")
    ] = 1.0,
    settings: SettingsFile = None,
    overrides: Overrides = None,
) -> None:
    """Add recordings to an index for `xmodal find`; what is in it already is not read again.

    An interrupted run goes on where it was. Exit code 1 if something could not be read.
    """
    from xmodal_ros.data.settings_file import load_settings

    named = [f"inference.bundle={bundle}"] if bundle else []
    effective = load_settings(settings, [*(overrides or []), *named])
    from rich.console import Console
    from rich.markup import escape

    from xmodal_ros.progress import progress_bar
    from xmodal_ros.search.gather import Progress, gather

    console = Console()
    with progress_bar(console, "indexing", len(recordings)) as bar:
        bar.update(0, "loading the model")

        def listen(seen: Progress) -> None:
            told = f"{seen.name}: {seen.moments} moments, {bar.rate(seen.moments):.0f} moments/s"
            bar.update(seen.recordings, told)

        result = gather(recordings, out, effective, every, listen)
        bar.update(len(recordings), f"{sum(result.added.values())} moments")
    for problem in result.problems.values():
        console.print(f"[yellow]problem:[/] {escape(problem)}", soft_wrap=True)
    console.print(
        f"{len(result.added)} recordings added with {sum(result.added.values())} moments, "
        f"{len(result.known)} were known, {len(result.problems)} have problems: "
        f"[bold]{out}[/]",
        soft_wrap=True,
    )
    if result.problems:
        raise typer.Exit(1)


def find_command(
    index: Annotated[Path, typer.Argument(help="Folder that `xmodal index` made.")],
    image: Annotated[Path | None, typer.Option(help="Like this camera image.")] = None,
    touch: Annotated[Path | None, typer.Option(help="Like this image of a gel.")] = None,
    like: Annotated[
        str, typer.Option(metavar="RECORDING@SECONDS", help="Like this moment of a recording.")
    ] = "",
    text: Annotated[str, typer.Option(help="What these words say.")] = "",
    stream: Annotated[str, typer.Option(help="The stream that is asked about.")] = "",
    among: Annotated[
        list[str] | None,
        typer.Option(help="A stream to look among, also of another sense; its own if not named."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="HEAD=LABEL", help="Only moments that got this answer."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Most hits.")] = 10,
    apart: Annotated[
        float, typer.Option(min=0.0, help="Least time between hits of one recording, s.")
    ] = 2.0,
    out: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    bundle: Annotated[
        str, typer.Option(help="Where the index's bundle is now, if it has moved.")
    ] = "",
) -> None:
    """Find moments in recordings by words, an image, a touch or another moment."""
    asked = {"image": image, "touch": touch, "like": like, "text": text}
    kinds = [name for name, value in asked.items() if value]
    if len(kinds) != 1:
        raise SettingsError(
            "got " + (", ".join(f"--{kind}" for kind in kinds) or "nothing to look for"),
            where="xmodal find",
            expected="one of --image, --touch, --like, --text",
        )
    labels = dict(map(_answer, where or []))
    from xmodal_ros.core.settings import Settings
    from xmodal_ros.runtime.bundle import Bundle
    from xmodal_ros.search.entries import Model
    from xmodal_ros.search.find import Finder
    from xmodal_ros.search.store import Store

    with Store(index) as store:
        settings = Settings.from_mapping(store.fact("settings"))
        loaded = Bundle.load(bundle or store.fact("bundle"))
        store.require(Model(loaded.id, loaded.weights_hash))
        finder = Finder(store, loaded)
        query = _embed(loaded, settings, kinds[0], str(asked[kinds[0]]), stream)
        hits = finder.find(query, count, among or (), labels, apart)
    from xmodal_ros.search import show

    if as_json:
        typer.echo(json.dumps(show.plain(query, hits), indent=1))
    else:
        from rich.console import Console

        Console().print(show.table(query, hits))
    if out:
        show.write_page(query, hits, f"{kinds[0]} {asked[kinds[0]]}", out)
        if not as_json:
            typer.echo(out)


def _embed(loaded: Bundle, settings: Settings, kind: str, value: str, stream: str) -> Query:
    from xmodal_ros.core.types import Modality
    from xmodal_ros.runtime.predictor import Predictor
    from xmodal_ros.search import query

    if kind == "text":
        if stream:
            raise SettingsError(
                f"got '{stream}' with --text",
                where="--stream",
                do="Words are of no stream; --among names the streams to look among",
            )
        return query.of_text(loaded, value)
    recording, time_s = _moment(value) if kind == "like" else (Path(), 0.0)
    with Predictor(loaded, settings.inference) as predictor:
        if kind == "like":
            return query.of_moment(predictor, settings, recording, time_s, stream)
        modality = Modality.CAMERA if kind == "image" else Modality.TACTILE
        return query.of_image(predictor, Path(value), modality, stream)


def _moment(text: str) -> tuple[Path, float]:
    recording, _, seconds = text.rpartition("@")
    try:
        return Path(recording or "."), float(seconds)
    except ValueError:
        raise SettingsError(
            f"got '{text}'", where="--like", expected="RECORDING@SECONDS"
        ) from None


def _answer(text: str) -> tuple[str, str]:
    head, equals, label = text.partition("=")
    if not equals:
        raise SettingsError(f"got '{text}'", where="--where", expected="HEAD=LABEL")
    return head, label
