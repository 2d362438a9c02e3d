"""One run of stage 2: from data sets and a pretrained encoder to calibrated heads on disk."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.visual_tactile import VisualTactile, open_dataset
from xmodal_ros.data.visual_tactile.example import CAMERA, TEST, TRAIN, VALIDATION
from xmodal_ros.nn.image import ImageEncoder
from xmodal_ros.nn.network import Network, build_network
from xmodal_ros.nn.pretrained import load_pretrained
from xmodal_ros.train.features import weights_hash
from xmodal_ros.train.learning import shown
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors, save_text
from xmodal_ros.train.pretrain.model import load_encoder
from xmodal_ros.train.touch.calibrate import Calibration, calibrate
from xmodal_ros.train.touch.examples import Plan, TouchExamples, fingerprint, plan
from xmodal_ros.train.touch.fit import dropped, fit
from xmodal_ros.train.touch.scans import load_lidar, with_scans
from xmodal_ros.train.touch.score import answers, scores
from xmodal_ros.train.touch.settings import LIDAR, SettingsWithLidar, TouchSettings

WEIGHTS, RECORD, CHECKPOINT = "weights.safetensors", "run.json", "checkpoint.ckpt"
STARTS = ("package", "hub", "random")
"""Values of `encoder.weights` that are no file."""


@dataclass(frozen=True)
class TouchRun:
    """A finished run."""

    folder: Path
    network: Network
    """With the weights of the best validation, in evaluation mode, on the CPU."""
    settings: TouchSettings
    labels: dict[str, tuple[str, ...]]
    """Names of the classes by head."""
    calibration: Calibration
    record: dict[str, Any]
    """What run.json holds."""

    @property
    def temperatures(self) -> dict[str, float]:
        """By head."""
        return self.calibration.temperatures


def open_datasets(
    roots: Sequence[Path], settings: TouchSettings, *, force: bool = False
) -> list[VisualTactile]:
    """Open data sets with clips as long as the settings ask for, and scans if they do.

    Raises:
        DataError: as `open_dataset` and `with_scans`.
    """
    history_s = settings.encoder.history_s
    data = [open_dataset(root, force=force, history_s=history_s) for root in roots]
    return [with_scans(one) for one in data] if isinstance(settings, SettingsWithLidar) else data


def train_touch(
    data: Sequence[VisualTactile],
    out: Path,
    settings: TouchSettings,
    *,
    cache: Path | None = None,
    console: Console | None = None,
) -> TouchRun:
    """Train heads beside a frozen encoder; calibrate them on the validation part.

    The test part is not looked at. A finished run in `out` is read back, an interrupted one
    continues.

    Args:
        data: From `open_datasets`; trained on together.
        out: Folder of the run.
        settings: What and how.
        cache: Folder of images and features, which runs can share; `out/cache` if None.
        console: Where to show progress.

    Raises:
        DataError: as `examples.plan`; the loss is not finite; disk full.
        SettingsError: another run is in `out`, or the encoder's weights do not fit.
    """
    made, network, examples = prepare(data, settings, cache or out / "cache")
    record: dict[str, Any] = {
        "settings": dataclasses.asdict(settings),
        "data": [one.root.name for one in data],
        "examples_sha256": fingerprint(made.examples),
        "labels": {head: list(names) for head, names in made.heads.items()},
        "streams": list(made.streams),
        "encoder_sha256": encoder_hash(network),
    }
    record = json.loads(json.dumps(record))
    if (out / RECORD).exists():
        found = json.loads((out / RECORD).read_text(encoding="utf-8"))
        require_same(out, found, record)
        network.load_state_dict(load_tensors(out / WEIGHTS)[0])
        return _finished(out, network, settings, found)
    out.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with shown(console or Console(quiet=True), settings.schedule.steps, out.name) as listener:
        hide = functools.partial(dropped, share=settings.schedule.modality_dropout)
        progress = fit(network, examples, settings.schedule, out / CHECKPOINT, listener, hide=hide)
    chosen = examples.indices(VALIDATION)
    logits = answers(network, examples, chosen)
    labels = {head: known[chosen] for head, known in examples.labels.items()}
    fitted = calibrate(logits, labels, settings.heads.kept_accuracy)
    record |= {
        "examples": {part: len(examples.indices(part)) for part in (TRAIN, VALIDATION, TEST)},
        "left_out": examples.left_out,
        "steps": progress.step,
        "best_step": progress.best_step,
        "seconds": time.perf_counter() - begun,
        "history": progress.history,
        "parameters": _parameters(network),
        **fitted.plain(),
        "validation": scores(logits, labels, fitted.temperatures),
        "encoder_sha256_after": encoder_hash(network),
    }
    save_tensors(out / WEIGHTS, network.state_dict(), {})
    save_text(out / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")
    (out / CHECKPOINT).unlink(missing_ok=True)
    return _finished(out, network, settings, record)


def prepare(
    data: Sequence[VisualTactile], settings: TouchSettings, cache: Path
) -> tuple[Plan, Network, TouchExamples]:
    """What is used of data sets, the network with pretrained encoders, and what it will read."""
    made = plan(data, settings)
    network = build(settings, made)
    return made, network, TouchExamples(made, cache, network, settings)


def build(settings: TouchSettings, made: Plan) -> Network:
    """The network for what is used of data sets, with pretrained encoders.

    Raises:
        SettingsError: the encoder's weights are not to be had, or do not fit.
    """
    torch.manual_seed(settings.schedule.seed)
    network = build_network(settings.architecture(made.streams, made.heads))
    for stream in made.streams:
        branch = network.branch(stream)
        if isinstance(settings, SettingsWithLidar) and stream == LIDAR:
            load_lidar(branch.contrastive, settings.lidar)
            continue
        for encoder in (branch.contrastive.encoder, branch.task):
            if isinstance(encoder, ImageEncoder) and settings.encoder.weights != "random":
                start = weights_file(settings.encoder.weights, stream)
                load_pretrained(encoder.backbone, settings.encoder.backbone, start)
        if settings.encoder.weights not in STARTS:
            load_encoder(branch.contrastive, Path(weights_file(settings.encoder.weights, stream)))
    return network


def encoder_hash(network: Network) -> dict[str, str]:
    """SHA-256 of the frozen encoders' weights, by branch."""
    return {name: weights_hash(branch.contrastive) for name, branch in network.branches.items()}


def weights_file(weights: str, stream: str, where: str = "encoder.weights") -> str:
    """The weights' file for a stream; a folder of pretraining has one of both or of each.

    Args:
        weights: One of `STARTS`, which is given back, a file, or the folder.
        stream: Which reads it.
        where: Name of the setting.

    Raises:
        SettingsError: there is no such file.
    """
    if weights in STARTS:
        return weights
    path = Path(weights)
    if path.is_dir():
        own = path / f"{'camera' if stream == CAMERA else 'tactile'}.safetensors"
        path = own if own.exists() else path / "encoder.safetensors"
    if not path.is_file():
        raise SettingsError(
            "no such file",
            where=f"{where}: {path}",
            expected="package, hub, random, or what `xmodal pretrain` wrote",
        )
    return str(path)


def require_same(folder: Path, found: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Refuse to take one run for another.

    Raises:
        SettingsError: names what differs.
    """
    for name, value in record.items():
        if found.get(name) != value:
            raise SettingsError(
                f"a finished run with another {name} is there",
                where=str(folder),
                do="Name another --out, or remove the folder to train it anew",
            )


def _finished(
    folder: Path, network: Network, settings: TouchSettings, record: dict[str, Any]
) -> TouchRun:
    labels = {head: tuple(names) for head, names in record["labels"].items()}
    fitted = Calibration(*(record[f.name] for f in dataclasses.fields(Calibration)))
    return TouchRun(folder, network.eval(), settings, labels, fitted, record)


def _parameters(network: Network) -> dict[str, int]:
    """Number of parameters, all and trained."""
    free = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return {"all": sum(p.numel() for p in network.parameters()), "trained": free}
