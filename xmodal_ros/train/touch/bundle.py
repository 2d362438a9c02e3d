"""From a finished run to a bundle that nodes and `xmodal eval` load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.nn.network import Network
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import HeadCard
from xmodal_ros.runtime.ood import branch_feature, fit_branch, fit_statistics, look
from xmodal_ros.runtime.save import save_bundle
from xmodal_ros.train.examples import FeatureExamples, StreamExamples
from xmodal_ros.train.touch.calibrate import some_of, subset_temperatures
from xmodal_ros.train.touch.examples import TouchExamples
from xmodal_ros.train.touch.run import STARTS, TouchRun
from xmodal_ros.train.touch.score import BATCH, Answering, answers_from, encoded

TASKS = {"material": "material", "hardness": "material", "roughness": "material", "grasp": "grasp"}
"""What a head answers, of the tasks that the runtime has messages for: hardness and roughness are
classes of the touched material."""
IMAGES = ("image", "gel")
"""Kinds of branches that `xmodal pretrain` brings into one space."""
MOST = 2000
"""Images of a stream that its statistics are made of, spread over the training part: enough for a
covariance of some 150 numbers, and reading all takes minutes."""
UNSTATED = "not stated"
"""Licence of weights whose data set's licence nobody has named."""


def write_bundle(
    run: TouchRun,
    examples: TouchExamples,
    path: Path,
    *,
    licence: str = UNSTATED,
    metrics: Mapping[str, Any] | None = None,
    card: str = "",
) -> Bundle:
    """Write a run as a bundle.

    Args:
        run: Finished.
        examples: What it was trained on, for the statistics of what is out of distribution.
        path: Folder; its name becomes the bundle's id.
        licence: Of the weights.
        metrics: Scores by head; those of the validation part if None.
        card: Text of README.md; tables of the run if empty.
    """
    train = examples.indices(TRAIN)
    features, embeddings = describe(run.network, examples, train)
    statistics = {}
    for head, values in features.items():
        labels = examples.labels[head][train]
        statistics[head] = fit_statistics(values[labels >= 0], labels[labels >= 0])
    subsets = fit_subsets(run, examples)
    heads = {
        head: HeadCard(
            task=TASKS[head],
            labels=labels,
            temperature=run.temperatures[head],
            threshold=run.calibration.thresholds.get(head, 0.5),
            abstain_below=run.calibration.abstain_below[head],
            temperatures=subsets[head],
        )
        for head, labels in run.labels.items()
    }
    kept = ("data", "examples_sha256", "encoder_sha256", "steps", "best_step")
    settings = asdict(run.settings)
    # A folder's own name: where it was says more of the machine than of the weights.
    settings["encoder"]["weights"] = Path(settings["encoder"]["weights"]).name
    if "lidar" in settings:
        settings["lidar"]["folder"] = Path(settings["lidar"]["folder"]).name
    architecture = run.settings.architecture(examples.streams, examples.heads)
    images = [n for n, branch in architecture["branches"].items() if branch["kind"] in IMAGES]
    return save_bundle(
        path,
        name=path.name,
        network=run.network,
        architecture=architecture,
        heads=heads,
        spaces=[] if run.settings.encoder.weights in STARTS else [images],
        licence=licence,
        card=card or card_text(path.name, run, licence),
        training={**{name: run.record[name] for name in kept}, "settings": settings},
        metrics=metrics or run.record["validation"],
        statistics=statistics,
        branch_statistics=branch_statistics(run.network, examples, train, embeddings),
    )


def fit_subsets(
    run: Answering, examples: FeatureExamples
) -> dict[str, tuple[tuple[str, float], ...]]:
    """Temperatures for where streams are missing, fitted on the validation part."""
    chosen = examples.indices(VALIDATION)
    return subset_temperatures(
        answers_from(run.network, examples, chosen, some_of(examples.streams)),
        {head: known[chosen] for head, known in examples.labels.items()},
        {stream: there[chosen] for stream, there in examples.present.items()},
        run.temperatures,
    )


def describe(
    network: Network, examples: StreamExamples, chosen: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What a network makes of the chosen examples.

    Returns:
        By head what its classifier reads `(N, d)`, and by stream the embeddings of its images
        `(N, steps, d)`, float32.
    """
    heads: dict[str, list[np.ndarray]] = {}
    streams: dict[str, list[np.ndarray]] = {}
    with torch.inference_mode():
        for start in range(0, len(chosen), BATCH):
            some = chosen[start : start + BATCH]
            present = {s: torch.from_numpy(p[some]).float() for s, p in examples.present.items()}
            features = encoded(network, examples.batch(some))
            output = network.forward_features(features, present)
            for name, values in output.features.items():
                heads.setdefault(name, []).append(values.numpy())
            for name, (_, embeddings) in features.items():
                steps = embeddings.reshape(len(some), -1, embeddings.shape[-1])
                streams.setdefault(name, []).append(steps.numpy())
    return _joined(heads), _joined(streams)


def _joined(parts: Mapping[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate(found) for name, found in parts.items()}


def branch_statistics(
    network: Network,
    examples: TouchExamples,
    chosen: np.ndarray,
    embeddings: Mapping[str, np.ndarray],
) -> dict[str, dict[str, np.ndarray]]:
    """Out-of-distribution statistics by branch, of the streams that it reads together.

    Args:
        network: Whose embeddings they are.
        examples: Of its streams.
        chosen: Indices.
        embeddings: Of the chosen ones' images `(N, steps, d)`, by stream.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for stream, branch in network.architecture.streams.items():
        there = np.flatnonzero(examples.present[stream][chosen])
        if not len(there):
            continue
        some = there[:: -(-len(there) // MOST)]
        images = (examples.images(stream, chosen[k : k + 1])[0, -1] for k in some)
        looks = np.stack([look(image) for image in images])
        parts.setdefault(branch, []).append(branch_feature(embeddings[stream][some], looks))
    return {branch: fit_branch(np.concatenate(found)) for branch, found in parts.items()}


def card_text(name: str, run: TouchRun, licence: str) -> str:
    """What a run knows about itself, as a model card."""
    lines = [
        f"# {name}",
        "",
        f"Visual-tactile heads on {', '.join(run.record['data'])}; licence: {licence}.",
        "",
        "| head | classes | accuracy | balanced accuracy | AUC | ECE | temperature |",
        "|---|---|---|---|---|---|---|",
    ]
    for head, found in run.record["validation"].items():
        cells = [f"{found[key]:.3f}" for key in ("accuracy", "balanced_accuracy", "auc", "ece")]
        cells.append(f"{run.temperatures[head]:.2f}")
        lines.append(f"| {head} | {', '.join(run.labels[head])} | " + " | ".join(cells) + " |")
    counts = ", ".join(f"{count} {part}" for part, count in run.record["examples"].items())
    lines += [
        "",
        "Scores are those of the validation part, on which training was stopped, and temperatures "
        f"and thresholds were fitted: they are a little too good. Examples: {counts}. "
        f"{len(run.record['left_out'])} could not be read.",
        "",
    ]
    return "\n".join(lines)
