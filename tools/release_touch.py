"""Train, score and write the bundle `models/touch`, with a card made from the results.

python tools/release_touch.py CELL SLIP --encoder out/pretrain
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from score_table import score_table
from subset_calibration import score_subsets, subsets_page

from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.data.visual_tactile.example import CAMERA, TEST
from xmodal_ros.runtime.export import measure_backends, record_backends
from xmodal_ros.runtime.manifest import CARD
from xmodal_ros.train.experiments.table import part_blocks
from xmodal_ros.train.pretrain.files import save_text
from xmodal_ros.train.touch.bundle import write_bundle
from xmodal_ros.train.touch.examples import TouchExamples
from xmodal_ros.train.touch.pretrained import encoder_overrides, encoder_title
from xmodal_ros.train.touch.run import TouchRun, open_datasets, prepare, train_touch
from xmodal_ros.train.touch.score import answers, scores
from xmodal_ros.train.touch.settings import read_overrides

TEXT = Path(__file__).with_name("touch_card.md")
EXAMPLES = 16
"""Observations on which backends are measured."""
EXPERIMENTS = ("conditioning", "encoders", "separate", "sizes", "robustness", "transfer")


def release(
    roots: Annotated[list[Path], typer.Argument(help="Data sets: the cell's, and real ones.")],
    encoder: Annotated[str, typer.Option(help="What `xmodal pretrain` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("out/release"),
    cache: Annotated[Path | None, typer.Option(help="Of images and features.")] = None,
    results: Annotated[Path, typer.Option(help="Of tables.")] = Path("docs/results"),
    bundle: Annotated[Path, typer.Option(help="Folder to write.")] = Path("models/touch"),
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "Apache-2.0",
    seeds: Annotated[int, typer.Option(help="Runs; the first one's weights are in it.")] = 3,
    overrides: Annotated[list[str] | None, typer.Option("--set")] = None,
) -> None:
    """Train the bundle's network with several seeds, and write the first one's bundle."""
    console = Console()
    base = read_overrides([*encoder_overrides(encoder), *(overrides or [])])
    data = open_datasets(roots, base)
    runs, found, subsets = [], [], []
    _, _, examples = prepare(data, base, cache or out / "cache")
    for seed in range(seeds):
        settings = read_overrides([f"schedule.seed={seed}"], base)
        run = train_touch(
            data, out / f"seed{seed}", settings, cache=cache or out / "cache", console=console
        )
        runs.append(run)
        found.append(score_parts(run, examples, [one.root.name for one in data]))
        subsets.append(score_subsets(run, examples))
    made = {
        "data": [one.root.name for one in data],
        "encoder": encoder_title(encoder),
        "overrides": list(overrides or []),
        "examples": runs[0].record["examples"],
        "calibration": runs[0].calibration.plain(),
        "labels": {head: list(names) for head, names in runs[0].labels.items()},
        "seeds": found,
    }
    save_text(results / "touch-bundle.json", json.dumps(made, indent=1, sort_keys=True) + "\n")
    save_text(results / "touch-subsets.json", json.dumps(subsets, indent=1) + "\n")
    save_text(results / "touch-subsets.md", subsets_page(subsets))
    written = write_bundle(
        runs[0], examples, bundle, licence=licence, metrics=found[0]["test"], card="-"
    )
    written = record_backends(written, measure_backends(written, observations(examples)))
    (bundle / CARD).write_text(card(made, results), encoding="utf-8")
    console.print(score_table(made, "examples"), markup=False, highlight=False, soft_wrap=True)


def score_parts(run: TouchRun, examples: TouchExamples, names: list[str]) -> dict[str, Any]:
    """Calibrated scores of the test part by head: of each data set, and of all together."""
    chosen = examples.indices(TEST)
    logits = answers(run.network, examples, chosen)
    labels = {head: known[chosen] for head, known in examples.labels.items()}
    made: dict[str, Any] = {"test": scores(logits, labels, run.temperatures)}
    for name in names:
        own = np.array([examples.names[k].startswith(f"{name}/") for k in chosen])
        made[name] = scores(
            {head: values[own] for head, values in logits.items()},
            {head: known[own] for head, known in labels.items()},
            run.temperatures,
        )
    return {**made, "validation": run.record["validation"]}


def observations(examples: TouchExamples) -> list[Observation]:
    """Examples with all streams as a node sees them."""
    whole = np.all(list(examples.present.values()), axis=0)
    made = []
    for number, k in enumerate(np.flatnonzero(whole)[:: max(1, whole.sum() // EXAMPLES)]):
        streams = {}
        for order, stream in enumerate(examples.streams):
            frames = tuple(np.array(examples.images(stream, np.array([k]))[0]))
            stamps = tuple(10**9 * (number + 1) + 10**8 * step for step in range(len(frames)))
            if stream == CAMERA:
                streams[stream] = StreamData(Modality.CAMERA, frames[-1], stamps, order)
            else:
                streams[stream] = StreamData(
                    Modality.TACTILE, frames[-1], stamps, order, frames=frames
                )
        made.append(Observation(10**9 * (number + 1), "hand", CAMERA, streams))
    return made[:EXAMPLES]


def card(made: dict[str, Any], results: Path) -> str:
    """The card: the template with the tables of this run and of the experiments."""
    text = TEXT.read_text(encoding="utf-8").replace("<scores>", score_table(made, "examples"))
    blocks = []
    for name in EXPERIMENTS:
        for path in sorted(results.glob(f"touch-{name}.json")) + sorted(
            results.glob(f"touch-{name}-on-*.json")
        ):
            found = json.loads(path.read_text(encoding="utf-8"))
            on = f" Tested on {found['test_data']}." if found["test_data"] else ""
            blocks += [f"### {found['question']}{on}", *part_blocks(found, found["parts"][-1])]
    focus = results / "focus.md"
    if focus.exists():
        lines = [x for x in focus.read_text(encoding="utf-8").splitlines() if x.startswith("|")]
        blocks += ["### Does it look where a gel is touched?", "\n".join(lines)]
    return text.replace("<experiments>", "\n\n".join(blocks))


if __name__ == "__main__":
    typer.run(release)
