"""Classes of points from a range-view encoder: a linear probe, or all fine-tuned after it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

from xmodal_ros.core.segmentation import IGNORE, confusion, segmentation
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.nn.losses.lovasz import lovasz_softmax
from xmodal_ros.nn.range_view import RangeViewEncoder
from xmodal_ros.train.learning import learn, shown
from xmodal_ros.train.lidar.examples import TRAIN, VALIDATION, LabelledScans, spread
from xmodal_ros.train.lidar.frames import Frame
from xmodal_ros.train.lidar.probe import fit_probe
from xmodal_ros.train.lidar.settings import ScheduleSettings
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors, save_text
from xmodal_ros.train.touch.run import require_same

PROBE, FINETUNE = "probe", "finetune"
MODES = {PROBE: "linear probe", FINETUNE: "fine-tuned"}
SORTED = 16_384
"""Pixels of a batch, drawn at random, of which Lovász-softmax is taken: it sorts them."""
WEIGHTS, RECORD, CHECKPOINT = "segment.safetensors", "segment.json", "checkpoint.ckpt"


class Segmenter(nn.Module):
    """An encoder's feature of each pixel to a class of its points.

    Args:
        settings: Of the encoder.
        classes: How many there are.
    """

    def __init__(self, settings: LidarSettings, classes: int) -> None:
        super().__init__()
        self.encoder = RangeViewEncoder(settings)
        self.classify = nn.Linear(settings.channels, classes)

    def forward(self, scans: Tensor) -> Tensor:
        """Logits. Shape: (B, H, W, 4) -> (B, H, W, classes)."""
        logits: Tensor = self.classify(self.encoder.features(scans))
        return logits


class _Task:
    """Cross-entropy and Lovász-softmax, as `learning.learn` takes them."""

    def __init__(
        self,
        model: Segmenter,
        scans: LabelledScans,
        train: np.ndarray,
        schedule: ScheduleSettings,
    ) -> None:
        self._model, self._scans, self._schedule = model, scans, schedule
        self.names, self.train = scans.names, train
        self._validation = spread(scans.indices(VALIDATION), schedule.validated)
        self._weights = _class_weights(scans.counts(train), schedule.balance)

    def loss(self, chosen: np.ndarray, fabric: Fabric) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        return self._loss(chosen, fabric, rng, self._schedule.smoothing)

    def validate(self) -> dict[str, float]:
        """Loss, and mean IoU of all points."""
        fabric = Fabric(accelerator="auto", devices=1)
        count = -(-len(self._validation) // self._schedule.batch)
        with torch.inference_mode():
            losses = [
                self._loss(chosen, fabric, None, 0.0).item()
                for chosen in np.array_split(self._validation, count)
            ]
        found = evaluate(self._model, self._scans, self._validation)
        return {
            "validation_loss": float(np.mean(losses)),
            "validation_miou": found["points"]["miou"],
        }

    def _loss(
        self,
        chosen: np.ndarray,
        fabric: Fabric,
        rng: np.random.Generator | None,
        smoothing: float,
    ) -> Tensor:
        scans, labels = fabric.to_device(self._scans.batch(chosen, rng))
        known = labels != IGNORE
        logits, labels = self._model(scans)[known], labels[known]  # (P, C), (P,)
        weights = fabric.to_device(self._weights)
        entropy = F.cross_entropy(logits, labels, weights, label_smoothing=smoothing)
        some = torch.randperm(len(labels))[:SORTED]
        return entropy + lovasz_softmax(logits[some].softmax(1), labels[some])


@dataclass(frozen=True)
class SegmentRun:
    """A finished run."""

    model: Segmenter
    """In evaluation mode, on the CPU."""
    record: dict[str, Any]
    """What segment.json holds."""


def train_segmenter(
    scans: LabelledScans,
    out: Path,
    lidar: LidarSettings,
    schedule: ScheduleSettings,
    *,
    encoder: Path | None,
    mode: str,
    share: float,
    console: Console | None = None,
) -> SegmentRun:
    """Learn classes from a share of the labelled training scans.

    The shares of a seed are in each other. A finished run in `out` is read back, an interrupted
    one continues.

    Args:
        scans: With labels.
        out: Folder of the run.
        lidar: Settings of the encoder.
        schedule: How it learns; of it a probe reads `balance` and `seed` alone.
        encoder: Weights that `xmodal lidar pretrain` left; random ones if None.
        mode: One of `MODES`.
        share: Of the training scans, at least one.
        console: Where to show progress.

    Raises:
        DataError: the loss is not finite; disk full; the weights cannot be read.
        SettingsError: another run is in `out`.
    """
    torch.manual_seed(schedule.seed)
    model = Segmenter(lidar, len(scans.classes)).eval()
    if encoder is not None:
        model.encoder.load_state_dict(load_tensors(encoder)[0])
    train = drawn(scans.indices(TRAIN), share, schedule.seed)
    record: dict[str, Any] = {
        "mode": mode,
        "lidar": vars(lidar),
        "schedule": vars(schedule),
        "vary": vars(scans.vary),
        "encoder_sha256": _hash(encoder),
        "classes": list(scans.classes),
        "scans": [scans.names[k] for k in train],
    }
    if (out / RECORD).exists():
        found = json.loads((out / RECORD).read_text(encoding="utf-8"))
        require_same(out, found, record)
        model.load_state_dict(load_tensors(out / WEIGHTS)[0])
        return SegmentRun(model.eval(), found)
    out.mkdir(parents=True, exist_ok=True)
    record |= _learned(model, scans, train, schedule, out, mode, console)
    facts = {"lidar": json.dumps(vars(lidar)), "classes": json.dumps(list(scans.classes))}
    save_tensors(out / WEIGHTS, model.state_dict(), facts)
    save_text(out / RECORD, json.dumps(record, indent=1) + "\n")
    (out / CHECKPOINT).unlink(missing_ok=True)
    return SegmentRun(model.eval(), record)


def _learned(
    model: Segmenter,
    scans: LabelledScans,
    train: np.ndarray,
    schedule: ScheduleSettings,
    out: Path,
    mode: str,
    console: Console | None,
) -> dict[str, Any]:
    """Change the model; how many steps that took, and what validations found.

    Fine-tuning begins with the probe's classifier (arXiv 2202.10054): a random one would change
    the encoder before it has learned what its features say.
    """
    weights = _class_weights(scans.counts(train), schedule.balance)
    steps = fit_probe(model.encoder, model.classify, scans, train, weights, schedule.seed)
    if mode == PROBE:
        return {"steps": steps, "best_step": steps, "history": []}
    task = _Task(model, scans, train, schedule)
    with shown(console or Console(quiet=True), schedule.steps, out.name) as listener:
        progress = learn(model, task, schedule, out / CHECKPOINT, listener)
    return {
        "steps": progress.step,
        "best_step": progress.best_step,
        "history": progress.history,
    }


def drawn(indices: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A share of indices, at least one, in their order; smaller shares are in larger ones."""
    order = np.random.default_rng(seed).permutation(indices)
    return np.sort(order[: max(1, math.ceil(share * len(order)))])


def evaluate(
    model: Segmenter, scans: LabelledScans, chosen: np.ndarray
) -> dict[str, dict[str, float]]:
    """Scores at every point of scans; see `score.segmentation`. A point in no pixel is missed.

    The model changes to evaluation mode.
    """
    device = next(model.parameters()).device
    counts: Any = 0
    model.eval()
    with torch.inference_mode():
        for index in chosen:
            frame = scans.frame(index)
            logits = model(torch.from_numpy(frame.scan)[None].to(device))  # (1, H, W, C)
            counts = counts + at_points(logits[0].argmax(2).cpu().numpy(), frame, scans.classes)
    return segmentation(np.asarray(counts), scans.classes)


def at_points(predicted: np.ndarray, frame: Frame, classes: Sequence[str]) -> np.ndarray:
    """Confusion of all points of a scan, by the class of each pixel `(H, W)`."""
    found = np.append(predicted.reshape(-1), len(classes))  # the last one for OUTSIDE, -1
    return confusion(frame.truth, found[frame.pixels], len(classes))


def _class_weights(counts: np.ndarray, balance: float) -> Tensor:
    """Weight of each class, 1 on average over the points and of one that does not occur.

    Args:
        counts: Points of each class `(C,)`.
        balance: Weights are frequencies to the power of -balance.
    """
    weights = np.maximum(counts, 1.0) ** -balance
    weights *= counts.sum() / (weights * counts).sum()
    return torch.from_numpy(np.where(counts, weights, 1.0).astype(np.float32))


def _hash(file: Path | None) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file else ""
