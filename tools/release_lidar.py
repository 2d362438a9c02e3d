"""Train, calibrate and write the bundle `models/lidar`, with a card made from the results.

python tools/release_lidar.py CELL --encoder out/lidar/joint/seed0
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console

from xmodal_ros.core.segmentation import IGNORE
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.data.point_cloud import PointClouds, read_clouds
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.eval.calibration import fit_temperature
from xmodal_ros.nn.network import build_network
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.export import measure_backends, record_backends
from xmodal_ros.runtime.manifest import CARD, PointsCard
from xmodal_ros.runtime.save import save_bundle
from xmodal_ros.train.lidar.compare import evaluation_settings
from xmodal_ros.train.lidar.examples import LabelledScans
from xmodal_ros.train.lidar.pretrain import ENCODER
from xmodal_ros.train.lidar.segment import FINETUNE, SegmentRun, evaluate, train_segmenter
from xmodal_ros.train.pretrain.files import save_text

TEXT = Path(__file__).with_name("lidar_card.md")
FINETUNING = (
    "schedule.batch=4", "schedule.steps=400", "schedule.validate_every=100",
    "schedule.validated=24", "schedule.learning_rate=0.008",
)  # fmt: skip
"""With all labels."""
LIDAR = "lidar"
"""Name of the branch and of the stream."""
CALIBRATED = 2000
"""Points of each validation scan that the temperature is fitted on."""
SCANS = 8
"""Test scans on which backends are measured."""
STUDIES = ("lidar-shares", "lidar-ablation")
"""Tables of `tools/lidar_study.py` that the card repeats."""


def release(
    cell: Annotated[Path, typer.Argument(help="Data set of the simulated cell.")],
    encoder: Annotated[Path, typer.Option(help="A run of `xmodal lidar pretrain`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("out/lidar-release"),
    results: Annotated[Path, typer.Option(help="Of the JSON files.")] = Path("docs/results"),
    bundle: Annotated[Path, typer.Option(help="Folder to write.")] = Path("models/lidar"),
) -> None:
    """Fine-tune an encoder with all labels, and write the bundle."""
    console = Console()
    settings = evaluation_settings((encoder,), 0, FINETUNING)
    data = read_clouds(cell)
    scans = LabelledScans(data, settings, out / "cache", console)
    run = train_segmenter(
        scans, out / "all-labels", settings.lidar, settings.schedule,
        encoder=encoder / ENCODER, mode=FINETUNE, share=1.0, console=console,
    )  # fmt: skip
    temperature = fit_temperature(*validation_points(run, scans))
    weights = vars(settings.loss)
    made = {
        "objectives": [name for name, weight in weights.items() if weight],
        "temperature": round(temperature, 3),
        "scans": {part: len(scans.indices(part)) for part in (TRAIN, VALIDATION, TEST)},
        "scores": {
            part: evaluate(run.model, scans, scans.indices(part)) for part in (VALIDATION, TEST)
        },
    }
    written = write(run, temperature, made, cell.name, bundle)
    measured = measure_backends(written, observations(data))
    record_backends(written, measured)
    save_text(results / "lidar-bundle.json", json.dumps(made, indent=1, sort_keys=True) + "\n")
    (bundle / CARD).write_text(card(made, results), encoding="utf-8")
    console.print(table(made), markup=False, highlight=False, soft_wrap=True)


def validation_points(run: SegmentRun, scans: LabelledScans) -> tuple[np.ndarray, np.ndarray]:
    """Logits `(N, C)` and classes `(N,)` of some pixels of each validation scan."""
    rng = np.random.default_rng(0)
    logits, labels = [], []
    for index in scans.indices(VALIDATION):
        batch, truth = scans.batch([index])
        known = np.flatnonzero(truth.flatten() != IGNORE)
        chosen = rng.permutation(known)[:CALIBRATED]
        with torch.inference_mode():
            logits.append(run.model(batch).flatten(0, 2)[chosen].numpy())
        labels.append(truth.flatten()[chosen].numpy())
    return np.concatenate(logits), np.concatenate(labels)


def write(
    run: SegmentRun, temperature: float, made: dict[str, Any], data: str, path: Path
) -> Bundle:
    """A bundle with no head but the classes of points."""
    classes = tuple(run.record["classes"])
    branch = {"kind": "lidar", **run.record["lidar"]}
    architecture = {
        "branches": {LIDAR: branch},
        "streams": {LIDAR: LIDAR},
        "points": {LIDAR: {"classes": len(classes)}},
    }
    network = build_network(architecture)
    state = network.state_dict()
    for name, value in run.model.state_dict().items():
        inside = "contrastive." if name.startswith("encoder.") else ""
        state[f"branches.{LIDAR}.{inside}{name}"] = value
    network.load_state_dict(state)
    told = {
        "data": [data],
        "seed": run.record["schedule"]["seed"],
        "encoder_sha256": run.record["encoder_sha256"],
        "scans": made["scans"],
    }
    return save_bundle(
        path, name=path.name, network=network.eval(), architecture=architecture, heads={},
        points={LIDAR: PointsCard(classes, temperature)}, licence="Apache-2.0", card="-",
        training=told, metrics=made["scores"],
    )  # fmt: skip


def observations(data: PointClouds) -> list[Observation]:
    """Test scans as a node sees them."""
    made = []
    for number, sweep in enumerate(data.part(TEST)[:SCANS]):
        stamp_ns = 10**9 * (number + 1)
        scan = StreamData(Modality.LIDAR, data.load(sweep).points, (stamp_ns,), 0)
        made.append(Observation(stamp_ns, LIDAR, LIDAR, {LIDAR: scan}))
    return made


def table(made: dict[str, Any]) -> str:
    """IoU of each class, and their mean, by part."""
    names = list(made["scores"][TEST]["iou"])
    lines = [f"| | scans | mIoU | {' | '.join(names)} |", "|---" * (3 + len(names)) + "|"]
    for part, scores in made["scores"].items():
        values = [scores["points"]["miou"], *(scores["iou"].get(name, 0.0) for name in names)]
        cells = " | ".join(f"{value:.3f}" for value in values)
        lines.append(f"| {part} | {made['scans'][part]} | {cells} |")
    return "\n".join(lines)


def card(made: dict[str, Any], results: Path) -> str:
    """The card: the template with the scores of the bundle and the tables of the studies."""
    text = TEXT.read_text(encoding="utf-8").replace("<scores>", table(made))
    text = text.replace("<objectives>", ", ".join(made["objectives"]))
    for name in STUDIES:
        page = results / f"{name}.md"
        told = page.read_text(encoding="utf-8") if page.exists() else ""
        # Neither its title nor its picture.
        body = "\n\n".join(told.strip().split("\n\n")[2:])
        text = text.replace(f"<{name}>", body or "Not measured.")
    return text


if __name__ == "__main__":
    typer.run(release)
