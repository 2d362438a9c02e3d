"""Train, score and write the bundle `models/xmodal`, with a card made from the results.

python tools/release_xmodal.py CELL SLIP --encoder models/touch --encoder models/activity \
    --encoder models/lidar
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from score_table import score_table

from xmodal_ros.core.types import Observation
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.data.visual_tactile import VisualTactile, open_dataset
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.export import measure_backends, record_backends
from xmodal_ros.runtime.manifest import CARD
from xmodal_ros.train.joint.answers import (
    AnswerRun,
    AnswerSettings,
    MomentExamples,
    ScheduleSettings,
    train_answers,
)
from xmodal_ros.train.joint.bundle import sources, write_bundle
from xmodal_ros.train.joint.encoders import Encoders, take
from xmodal_ros.train.joint.moments import Moments, together
from xmodal_ros.train.joint.recordings import heard, read_moments
from xmodal_ros.train.joint.run import JointRun, frozen_encoders, gather, train_joint
from xmodal_ros.train.joint.sensors import (
    MAJORITY,
    alone_scores,
    majority_scores,
    rows_of,
    save,
    subset_scores,
)
from xmodal_ros.train.joint.settings import MomentSettings, read_overrides
from xmodal_ros.train.joint.stills import read_stills
from xmodal_ros.train.pretrain.files import save_text
from xmodal_ros.train.touch.score import answers, scores

TEXT = Path(__file__).with_name("xmodal_card.md")
PARTS = (VALIDATION, TEST)
APART = "lidar"
"""Stream that further recordings do not teach: theirs may be of another resolution, or none."""
EXAMPLES = 16
"""Observations on which backends are measured."""


def release(
    cell: Annotated[Path, typer.Argument(help="Recordings of the cell, with all senses.")],
    stills: Annotated[list[Path], typer.Argument(help="Data sets of images and clips.")],
    encoders: Annotated[
        list[Path], typer.Option("--encoder", help="Bundle whose encoders are in it.")
    ],
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Recordings whose training part teaches heads too, but no LiDAR."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("out/xmodal"),
    results: Annotated[Path, typer.Option(help="Of tables.")] = Path("docs/results"),
    bundle: Annotated[Path, typer.Option(help="Folder to write.")] = Path("models/xmodal"),
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "CC-BY-4.0",
    seeds: Annotated[int, typer.Option(help="Runs; the first one's weights are in it.")] = 3,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Of `xmodal joint train`.")
    ] = None,
) -> None:
    """Train a space and its heads with several seeds, and write the first one's bundle."""
    console, settings = Console(), read_overrides(overrides or [])
    bundles, frozen = frozen_encoders(cell, encoders)
    data = open_dataset(cell)
    material = gather(data, frozen, settings.moments, out / "cache", console)
    sets = {cell.name: material.moments}
    for root in also or []:
        sets[root.name] = more(root, frozen, bundles, settings.moments, out / "cache", console)
    for root in stills:
        read = open_dataset(root, history_s=history_s(frozen))
        sets[root.name] = read_stills(read, frozen, out / "cache", console)
    moments = together(list(sets.values()))
    spaces, runs, made, table = [], [], [], []
    for seed in range(seeds):
        own = read_overrides([f"schedule.seed={seed}"], settings)
        space = train_joint(material, out / f"space{seed}", own, console=console)
        run, found = worth(space, frozen, moments, out, seed, console)
        spaces.append(space)
        runs.append(run)
        table.append(found)
        tested = {name: one for name, one in sets.items() if len(one.indices(TEST))}
        made.append({name: test_scores(run, one, moments) for name, one in tested.items()})
    save(
        {
            "rows": rows_of(table),
            "parts": list(PARTS),
            "data": list(sets),
            "encoders": ", ".join(f"{branch} of {b}" for branch, b in frozen.sources.items()),
        },
        results / "sensors",
    )
    told = {
        "data": list(sets),
        "encoders": dict(frozen.sources),
        "moments": runs[0].record["moments"],
        "overrides": list(overrides or []),
        "seeds": made,
    }
    save_text(results / "xmodal-bundle.json", json.dumps(told, indent=1, sort_keys=True) + "\n")
    written = write_bundle(
        runs[0], spaces[0], moments, bundle, sources(bundles, runs[0]),
        licence=licence, metrics=made[0][cell.name], card="-",
        training={name: told[name] for name in ("data", "encoders", "moments")},
    )  # fmt: skip
    written = record_backends(written, measure_backends(written, seen(data, frozen)))
    (bundle / CARD).write_text(card(told, results), encoding="utf-8")
    console.print(score_table(told, "moments"), markup=False, highlight=False, soft_wrap=True)


def more(
    root: Path,
    encoders: Encoders,
    bundles: Mapping[str, Bundle],
    settings: MomentSettings,
    cache: Path,
    console: Console,
) -> Moments:
    """Moments of the training part of further recordings."""
    data = open_dataset(root)
    training = VisualTactile(data.kind, data.root, data.split, data.part(TRAIN))
    streams = [stream for stream in encoders.streams if stream != APART]
    return read_moments(training, take(list(bundles.values()), streams), settings, cache, console)


def history_s(encoders: Encoders) -> float:
    """How far clips reach back, with room for a clock's jitter."""
    reach = [
        (spec.frames - 0.5) * spec.spacing_s for spec in encoders.inputs.values() if spec.height
    ]
    return max(reach)


def worth(
    space: JointRun, encoders: Encoders, moments: Moments, out: Path, seed: int, console: Console
) -> tuple[AnswerRun, dict[str, Any]]:
    """A network of all senses, and by part scores of all subsets and of each sense alone."""
    settings = AnswerSettings(schedule=ScheduleSettings(seed=seed))
    every = MomentExamples(moments)
    run = train_answers(space, encoders, every, out / f"all{seed}", settings, console=console)
    found = subset_scores(run, every, PARTS)
    branches = encoders.streams
    for branch in dict.fromkeys(branches.values()):
        streams = [stream for stream in every.streams if branches[stream] == branch]
        own = MomentExamples(moments, streams)
        single = AnswerSettings(schedule=ScheduleSettings(seed=seed, subsets=0.0))
        alone = train_answers(
            space, encoders, own, out / f"{branch}{seed}", single, console=console
        )
        for part in PARTS:
            found[part][f"{branch}, alone"] = alone_scores(alone, own, part, every)
    for part in PARTS:
        found[part][MAJORITY] = majority_scores(every, part)
    return run, found


def test_scores(run: AnswerRun, one: Moments, every: Moments) -> dict[str, Any]:
    """Calibrated scores by head of the test part of one of the data sets."""
    examples = MomentExamples(every)
    chosen = examples.indices(TEST)
    chosen = chosen[np.isin(every.names[chosen], one.names)]
    labels = {head: known[chosen] for head, known in examples.labels.items()}
    return scores(answers(run.network, examples, chosen), labels, run.temperatures)


def seen(data: VisualTactile, encoders: Encoders) -> list[Observation]:
    """Observations of test recordings as a node sees them, spread over each."""
    made: list[Observation] = []
    paths = dict.fromkeys(e.streams[next(iter(e.streams))][0].path for e in data.part(TEST))
    for path in list(paths)[: EXAMPLES // 4]:
        with Recording(path) as recording:
            found = list(observations(recording, heard(data.root, encoders), encoders.windows))
        made += found[:: -(-len(found) // 4)]
    return made


def card(made: Mapping[str, Any], results: Path) -> str:
    """The card: the template with the tables of these runs and of the studies."""
    text = TEXT.read_text(encoding="utf-8").replace("<scores>", score_table(made, "moments"))
    for name in ("sensors", "joint"):
        page = results / f"{name}.md"
        lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
        first = "\n".join(lines).partition("\n## ")[2].partition("\n## ")[0]
        rows = [line for line in first.splitlines() if line.startswith("|")]
        text = text.replace(f"<{name}>", "\n".join(rows) or "Not measured yet.")
    return text


if __name__ == "__main__":
    typer.run(release)
