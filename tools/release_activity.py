"""Train, score and write the bundle `models/activity`, with a card made from the results.

python tools/release_activity.py CELL PEOPLE --encoder out/pretrain
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from xmodal_ros.core.settings import InferenceSettings, Settings, StreamSettings, SyncSettings
from xmodal_ros.core.sync import Synchronizer
from xmodal_ros.core.types import Modality, Observation, Sample, StreamData
from xmodal_ros.data.inertial import Inertial, read_tracks
from xmodal_ros.data.inertial.problems import screened
from xmodal_ros.data.inertial.track import by_session
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.export import measure_backends, record_backends
from xmodal_ros.runtime.manifest import CARD
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.train.align.bundle import Part, write_bundle
from xmodal_ros.train.align.combine import (
    CAMERA,
    IMU,
    STREAMS,
    CombinedRun,
    CombineSettings,
    combine,
)
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.imu_activity import ENCODERS, RECIPE, order_of, watches
from xmodal_ros.train.align.losses import turned_windows
from xmodal_ros.train.align.run import align, prepare
from xmodal_ros.train.align.score import score_logits
from xmodal_ros.train.align.settings import AlignSettings, read_overrides, vision_overrides
from xmodal_ros.train.experiments.cost import machine
from xmodal_ros.train.pretrain.files import save_text

TEXT = Path(__file__).with_name("activity_card.md")
WATCH, PEOPLE = "watch", "people_activity"
RECIPE_OF_PEOPLE = "encoder, both frames, half rotated"
"""Best on validation people as worn and turned together; not the best as worn alone."""
ALIGNED = 3000
"""Steps of the alignment with the cell. The studies compare at fewer; more are better on the
validation part, with every seed."""
STEPS = 300
"""Of the head of people's activities."""
SCORES = {"accuracy": "accuracy", "balanced_accuracy": "balanced", "auc": "AUC", "ece": "ECE"}
MOMENTS = 300
"""Windows whose time from the last sample to the answer is measured."""
EXAMPLES = 16
"""Observations on which backends are measured."""
RATE_HZ = 100.0


def release(
    cell: Annotated[Path, typer.Argument(help="Data set of the simulated cell.")],
    people: Annotated[Path, typer.Argument(help="Folder imu_activity.")],
    encoder: Annotated[str, typer.Option(help="What `xmodal pretrain` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("out/activity"),
    results: Annotated[Path, typer.Option(help="Of the JSON file.")] = Path("docs/results"),
    bundle: Annotated[Path, typer.Option(help="Folder to write.")] = Path("models/activity"),
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "CC-BY-4.0",
    seeds: Annotated[int, typer.Option(help="Runs; the first one's weights are in it.")] = 3,
) -> None:
    """Train both heads with several seeds, and write the first one's bundle."""
    console = Console()
    settings = read_overrides(vision_overrides(encoder))
    made: dict[str, Any] = {"activity": [], PEOPLE: [], "orders": {}}
    parts: list[Part] = []
    moved, watched = screened(read_tracks(cell)), screened(read_tracks(people))
    examples = prepare([moved], settings, out / "cache")
    for seed in range(seeds):
        for head, found in (
            ("activity", robot(examples, cell.name, settings, out, seed, console)),
            (PEOPLE, person(watched, out, seed, console)),
        ):
            run, of, read = found
            scores = score(run, read)
            made[head].append({"seed": seed, **scores, "validation": run.record["validation"]})
            if seed == 0:
                streams = {CAMERA: CAMERA, IMU: IMU} if head == "activity" else {IMU: WATCH}
                told = {
                    "data": cell.name if head == "activity" else people.name,
                    "seed": seed,
                    "windows_sha256": run.record["windows_sha256"],
                    "encoders_sha256": run.record["encoders_sha256"],
                }
                tracks = (moved if head == "activity" else watches(watched, seed)).part(TRAIN)
                order = order_of(tracks, read.classes)
                told["order_sessions"] = len(by_session(tracks))
                made["orders"][head] = {
                    "sessions": told["order_sessions"],
                    "rates": np.round(order.rates, 3).tolist(),
                }
                parts.append(Part(head, run, of, read, streams, told, scores["as mounted"], order))
    written = write_bundle(parts, bundle, licence=licence, card="-")
    seen = observations(parts)
    written = record_backends(written, measure_backends(written, seen))
    made["serving"] = {"machine": machine(), "milliseconds": latency(written, parts)}
    made["labels"] = {part.head: list(part.examples.classes) for part in parts}
    save_text(results / "activity-bundle.json", json.dumps(made, indent=1, sort_keys=True) + "\n")
    (bundle / CARD).write_text(card(made, results), encoding="utf-8")
    console.print(table(made), markup=False, highlight=False, soft_wrap=True)


def robot(
    examples: AlignExamples,
    name: str,
    settings: AlignSettings,
    out: Path,
    seed: int,
    console: Console,
) -> tuple[CombinedRun, AlignSettings, AlignExamples]:
    """Camera and IMU of the cell's hand."""
    own = read_overrides([f"schedule.steps={ALIGNED}", f"schedule.seed={seed}"], settings)
    run = align(examples, [name], out / f"robot-{seed}", own, console=console)
    made = combine(run, examples, out / f"robot-head-{seed}", of_seed(STREAMS, seed))
    return made, own, examples


def person(
    data: Inertial, out: Path, seed: int, console: Console
) -> tuple[CombinedRun, AlignSettings, AlignExamples]:
    """A watch alone, by the recipe of `xmodal people`."""
    overrides = [*RECIPE, "imu.samples=50", *ENCODERS[RECIPE_OF_PEOPLE], f"schedule.seed={seed}"]
    own = read_overrides(overrides)
    examples = prepare([watches(data, seed)], own, out / "cache")
    run = align(examples, [data.root.name], out / f"people-{seed}", own, console=console)
    options = of_seed((IMU,), seed)
    # A fixed number of steps: three people are too few to tell by their loss when to stop.
    schedule = replace(
        options.schedule, steps=STEPS, validate_every=STEPS, balance=1.0, modality_dropout=0.0
    )
    options = replace(options, schedule=schedule)
    return combine(run, examples, out / f"people-head-{seed}", options), own, examples


def of_seed(streams: tuple[str, ...], seed: int) -> CombineSettings:
    """CEC over some streams."""
    base = CombineSettings()
    return replace(base, streams=streams, schedule=replace(base.schedule, seed=seed))


def score(run: CombinedRun, examples: AlignExamples) -> dict[str, Any]:
    """Calibrated scores of the test part: as mounted, turned at random, without a stream."""
    chosen = examples.indices(TEST, labelled=True)
    turned = examples.with_windows(turned_windows(examples, np.arange(len(examples))))
    ways: dict[str, tuple[AlignExamples, tuple[str, ...]]] = {
        "as mounted": (examples, ()), "turned": (turned, ()),
    }  # fmt: skip
    if len(run.settings.streams) > 1:
        ways |= {f"no {stream}": (examples, (stream,)) for stream in run.settings.streams}
    return {
        how: score_logits(
            run.logits(view, chosen, drop) / run.record["temperature"], examples.labels[chosen]
        )
        for how, (view, drop) in ways.items()
    }


def observations(parts: list[Part]) -> list[Observation]:
    """Test windows as a node sees them, with an image of noise: only times and backends differ."""
    rng = np.random.default_rng(0)
    rows = {p.head: rng.permutation(p.examples.indices(TEST, labelled=True)) for p in parts}
    size = (parts[0].of.vision.height, parts[0].of.vision.width, 3)
    made = []
    for number in range(EXAMPLES):
        stamp_ns = 10**9 * (number + 1)
        image = rng.integers(0, 256, size, np.uint8)
        streams = {CAMERA: StreamData(Modality.CAMERA, image, (stamp_ns,), 0)}
        for part in parts:
            window = part.examples.windows[rows[part.head][number]]
            streams[part.streams[IMU]] = StreamData(Modality.IMU, window, (0, stamp_ns), 0)
        made.append(Observation(stamp_ns, "hand", IMU, streams))
    return made


def latency(bundle: Bundle, parts: list[Part]) -> dict[str, dict[str, float]]:
    """From the newest sample to the answer, one core, nothing else read: window and network."""
    made = {}
    inference = InferenceSettings(threads=1)
    with Predictor(bundle, inference) as predictor:
        for part in parts:
            stream = part.streams[IMU]
            taken = _timed(bundle, predictor, stream, part.examples)
            made[part.head] = {
                stage: float(np.percentile(values, 50)) for stage, values in taken.items()
            }
            made[part.head]["all, p90"] = float(np.percentile(taken["all"], 90))
        made["backend"] = {predictor.backend.name: 1.0}
    return made


def _timed(
    bundle: Bundle, predictor: Predictor, stream: str, examples: AlignExamples
) -> dict[str, list[float]]:
    """Milliseconds of each stage, sample by sample at 100 Hz."""
    settings = Settings(streams=(StreamSettings(name=stream, modality="imu", topic=stream),))
    used, windows = bundle.fit(settings)
    sync = Synchronizer(used.streams, windows, SyncSettings(anchor=stream), stream)
    values = examples.windows[examples.indices(TEST, labelled=True)].reshape(-1, 6)
    taken: dict[str, list[float]] = {"window": [], "network": [], "all": []}
    for number in range(MOMENTS + 200):
        stamp_ns = round(number * 1e9 / RATE_HZ) + 10**9
        begun = time.perf_counter()
        found = sync.push(stream, Sample(stamp_ns, "hand", values[number]), stamp_ns)
        cut = time.perf_counter()
        for observation in found:
            predictor.predict(observation)
            done = time.perf_counter()
            if number >= 200:
                for stage, seconds in zip(
                    taken, (cut - begun, done - cut, done - begun), strict=True
                ):
                    taken[stage].append(1e3 * seconds)
    return taken


def table(made: dict[str, Any]) -> str:
    """Test scores by head: mean over seeds and half the range between them."""
    lines = [f"| head | | windows | {' | '.join(SCORES.values())} |"]
    lines.append("|---" * (3 + len(SCORES)) + "|")
    for head in ("activity", PEOPLE):
        for how in made[head][0]:
            rows = [run[how] for run in made[head]] if how not in ("seed", "validation") else []
            if rows:
                cells = [_cell([row[name] for row in rows]) for name in SCORES]
                lines.append(f"| {head} | {how} | {rows[0]['count']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def order_table(labels: list[str], rates: list[list[float]]) -> str:
    """How often per second a class (row) gives way to another (column)."""
    lines = [f"| | {' | '.join(labels)} |", "|---" * (1 + len(labels)) + "|"]
    for label, row in zip(labels, rates, strict=True):
        cells = (
            f"{rate:.2f}" if other != label else ""
            for other, rate in zip(labels, row, strict=True)
        )
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {(max(values) - min(values)) / 2:.3f}"


def card(made: dict[str, Any], results: Path) -> str:
    """The card: the template with the tables of these runs and of the studies."""
    text = TEXT.read_text(encoding="utf-8").replace("<scores>", table(made))
    times = made["serving"]["milliseconds"]
    lines = ["| head | window | network | all | all, p90 |", "|---|---|---|---|---|"]
    for head in ("activity", PEOPLE):
        cells = (f"{times[head][k]:.2f}" for k in ("window", "network", "all", "all, p90"))
        lines.append(f"| {head} | {' | '.join(cells)} |")
    text = text.replace("<latency>", "\n".join(lines))
    for head, order in made["orders"].items():
        text = text.replace(f"<sessions of {head}>", str(order["sessions"]))
        text = text.replace(
            f"<order of {head}>", order_table(made["labels"][head], order["rates"])
        )
    for name in ("combinations", "losses"):
        page = results / f"activity-{name}.md"
        lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
        rows = [line for line in lines if line.startswith("|")]
        text = text.replace(f"<{name}>", "\n".join(rows) or "Not measured yet.")
    return text


if __name__ == "__main__":
    typer.run(release)
