"""Vision and IMU together: a head that a node serves, beside both encoders, which are frozen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from rich.console import Console
from torch import Tensor

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.data.inertial.augment import remount
from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.eval.calibration import fit_temperature
from xmodal_ros.nn.architecture import Trunk
from xmodal_ros.nn.network import Network, build_network
from xmodal_ros.train.align.encoder import Aligned
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.run import AlignRun
from xmodal_ros.train.align.score import score_logits
from xmodal_ros.train.align.settings import AlignSettings, WindowSettings
from xmodal_ros.train.examples import Inputs
from xmodal_ros.train.features import weights_hash
from xmodal_ros.train.learning import class_weights, learn, shown
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors, save_text
from xmodal_ros.train.schedule import LearningSettings
from xmodal_ros.train.touch.fit import dropped
from xmodal_ros.train.touch.run import require_same
from xmodal_ros.train.touch.score import answers, forward

HEAD, CAMERA, IMU = "activity", "camera", "imu"
STREAMS = (CAMERA, IMU)
WEIGHTS, RECORD, CHECKPOINT = "weights.safetensors", "run.json", "checkpoint.ckpt"


@dataclass(frozen=True)
class ScheduleSettings(LearningSettings):
    """How long and how fast."""

    steps: int = setting(500, "most optimizer steps", low=1, high=10_000_000)
    batch: int = setting(128, "windows per step", low=2, high=65_536)
    modality_dropout: float = setting(
        0.15, "share of examples that lose each modality; never both", low=0.0, high=0.9
    )

    def __post_init__(self) -> None:
        validate(self, "schedule")


@dataclass(frozen=True)
class CombineSettings:
    """What combines them, and how it learns; `trunk.dim` is the embedding's."""

    trunk: Trunk = field(default_factory=lambda: Trunk(dim=128, dropout=0.3))
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    streams: tuple[str, ...] = STREAMS

    def architecture(self, settings: AlignSettings, classes: int) -> dict[str, Any]:
        """The mapping that `nn.build_network` takes.

        Args:
            settings: Of the encoders.
            classes: Number of activities.
        """
        branches = {
            CAMERA: {"kind": "image", **dataclasses.asdict(settings.vision.image)},
            IMU: {"kind": "imu", **dataclasses.asdict(settings.imu), "frozen": True},
        }
        return {
            **dataclasses.asdict(self.trunk),
            "branches": {name: branches[name] for name in self.streams},
            "streams": {name: name for name in self.streams},
            "heads": {HEAD: {"classes": classes, "streams": list(self.streams)}},
        }


class Windows:
    """Labelled windows and their images as a network reads them; see `StreamExamples`.

    Args:
        examples: Of the alignment.
        streams: Those that are read.
    """

    def __init__(self, examples: AlignExamples, streams: Sequence[str] = STREAMS) -> None:
        self._examples, self.streams = examples, tuple(streams)
        there = {CAMERA: examples.frames >= 0, IMU: np.ones(len(examples), bool)}
        self.present = {stream: there[stream] for stream in streams}

    def batch(self, chosen: np.ndarray) -> Inputs:
        """Raw windows of examples `(n,) int64`, and what the frozen encoder made of images."""
        return self.inputs(self._examples.windows[chosen], chosen)

    def inputs(self, windows: np.ndarray, chosen: np.ndarray) -> Inputs:
        """The same with other windows `(n, T, 6)` of those examples."""
        made: dict[str, Tensor | tuple[Tensor, Tensor]] = {}
        if CAMERA in self.present and self._examples.features is not None:
            made[CAMERA] = self._examples.features[np.maximum(self._examples.frames[chosen], 0)]
        if IMU in self.present:
            made[IMU] = torch.from_numpy(windows)
        return made


@dataclass(frozen=True)
class CombinedRun:
    """A finished run."""

    network: Network
    """In evaluation mode, on the CPU."""
    settings: CombineSettings
    record: dict[str, Any]
    """What run.json holds."""

    def logits(
        self, examples: AlignExamples, chosen: np.ndarray, drop: Sequence[str] = ()
    ) -> np.ndarray:
        """Of the chosen windows `(N, C)`, with all streams or fewer."""
        read = Windows(examples, self.settings.streams)
        return answers(self.network, read, chosen, drop=drop)[HEAD]


def build(aligned: Aligned, of: AlignSettings, settings: CombineSettings, classes: int) -> Network:
    """The network, with the encoders of an alignment."""
    torch.manual_seed(settings.schedule.seed)
    network = build_network(settings.architecture(of, classes))
    for stream, encoder in ((CAMERA, aligned.vision), (IMU, aligned.imu)):
        if stream in settings.streams:
            network.branch(stream).contrastive.load_state_dict(encoder.state_dict())
    return network


def combine(
    run: AlignRun,
    examples: AlignExamples,
    out: Path,
    settings: CombineSettings,
    *,
    console: Console | None = None,
) -> CombinedRun:
    """Train adapters and a head beside both encoders; calibrate it on the validation part.

    A finished run in `out` is read back, an interrupted one continues.

    Args:
        run: The alignment.
        examples: It was trained on.
        out: Folder.
        settings: How.
        console: Where to show progress.

    Raises:
        DataError: the loss is not finite; disk full.
        SettingsError: another run is in `out`.
    """
    network = build(run.model, run.settings, settings, len(examples.classes))
    record: dict[str, Any] = {
        "settings": dataclasses.asdict(settings),
        "classes": list(examples.classes),
        "windows_sha256": examples.fingerprint(),
        "encoders_sha256": frozen_hash(network),
    }
    record = json.loads(json.dumps(record))
    if (out / RECORD).exists():
        found = json.loads((out / RECORD).read_text(encoding="utf-8"))
        require_same(out, found, record)
        network.load_state_dict(load_tensors(out / WEIGHTS)[0])
        return CombinedRun(network.eval(), settings, found)
    out.mkdir(parents=True, exist_ok=True)
    task = _Task(network, examples, run.settings.windows, settings)
    with shown(console or Console(quiet=True), settings.schedule.steps, out.name) as listener:
        progress = learn(network, task, settings.schedule, out / CHECKPOINT, listener)
    made = CombinedRun(network, settings, record)
    chosen = examples.indices(VALIDATION, labelled=True)
    logits, labels = made.logits(examples, chosen), examples.labels[chosen]
    temperature = fit_temperature(logits, labels)
    record |= {
        "steps": progress.step,
        "best_step": progress.best_step,
        "temperature": temperature,
        "validation": score_logits(logits / temperature, labels),
        "encoders_sha256_after": frozen_hash(network),
    }
    save_tensors(out / WEIGHTS, network.state_dict(), {})
    save_text(out / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")
    (out / CHECKPOINT).unlink(missing_ok=True)
    return made


def frozen_hash(network: Network) -> dict[str, str]:
    """SHA-256 of the encoders' weights, by branch."""
    return {name: weights_hash(branch.contrastive) for name, branch in network.branches.items()}


class _Task:
    """Cross-entropy of labelled windows, with streams missing and sensors turned at random."""

    def __init__(
        self,
        network: Network,
        examples: AlignExamples,
        options: WindowSettings,
        settings: CombineSettings,
    ) -> None:
        self._network, self._examples, self._options = network, examples, options
        self._schedule = settings.schedule
        self._windows = Windows(examples, settings.streams)
        self.names = examples.names
        self.train = self._of(TRAIN, settings)
        self._validation = self._of(VALIDATION, settings)
        labels = examples.labels[self.train]
        self._weights = class_weights(labels, len(examples.classes), self._schedule.balance)

    def _of(self, part: str, settings: CombineSettings) -> np.ndarray:
        """Windows of a part that have a label, and an image where nothing else is read."""
        return self._examples.indices(part, labelled=True, seen=settings.streams == (CAMERA,))

    def loss(self, chosen: np.ndarray, fabric: Fabric) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        options = self._options
        windows = self._examples.windows[chosen]
        windows = remount(windows, rng, options.turned, options.wobble_deg)
        inputs = fabric.to_device(dict(self._windows.inputs(windows, chosen)))
        there = {
            s: torch.from_numpy(known[chosen]).float()
            for s, known in self._windows.present.items()
        }
        present = fabric.to_device(dropped(there, self._schedule.modality_dropout))
        return F.cross_entropy(
            forward(self._network, inputs, present)[HEAD],
            fabric.to_device(torch.from_numpy(self._examples.labels[chosen])),
            fabric.to_device(self._weights),
            label_smoothing=self._schedule.smoothing,
        )

    def validate(self) -> dict[str, float]:
        read = self._windows
        logits = torch.from_numpy(answers(self._network, read, self._validation)[HEAD])
        labels = torch.from_numpy(self._examples.labels[self._validation])
        return {
            "validation_loss": F.cross_entropy(logits, labels).item(),
            "validation_accuracy": float((logits.argmax(1) == labels).float().mean()),
        }
