"""The supervised stage: everything but the frozen encoders learns, until validation says stop."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from torch import Tensor

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.nn.network import Network
from xmodal_ros.train.pretrain.files import save_bytes, save_text
from xmodal_ros.train.touch.examples import TouchExamples
from xmodal_ros.train.touch.score import answers, forward
from xmodal_ros.train.touch.settings import ScheduleSettings

CLIP_NORM = 1.0
STOPPED = "stopped.txt"
Listener = Callable[[int, Mapping[str, float]], None]
"""Told of steps done, and of the measures after a validation."""


@dataclass
class Progress:
    """Where training is; with the weights and the optimizer all that a checkpoint has."""

    step: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    waited: int = 0
    """Validations since the best one."""
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    network: Network,
    examples: TouchExamples,
    schedule: ScheduleSettings,
    checkpoint: Path,
    listener: Listener = lambda step, measures: None,
) -> Progress:
    """Train; the network is left with the weights of the best validation, in evaluation mode.

    Random numbers follow from seed and step: a run that continues from its checkpoint ends with
    the same weights as one that was never interrupted.

    Args:
        network: Changed in place.
        examples: Of its streams and heads.
        schedule: How.
        checkpoint: File to continue from where it exists, written after each validation.
        listener: Told of the progress.

    Raises:
        DataError: the loss is not finite; names the step, the batch's examples and the last
            checkpoint. Or there is no room for a checkpoint; the last one stays.
    """
    fabric = Fabric(accelerator="auto", devices=1)
    train, validation = examples.indices(TRAIN), examples.indices(VALIDATION)
    model, optimizer = fabric.setup(network, _optimizer(network, schedule))
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=schedule.steps + 1, pct_start=0.2
    )
    weights = {h: _weights(examples, h, train, schedule.balance) for h in examples.heads}
    progress = Progress()
    best = _copied(network)
    state: dict[str, Any] = {"optimizer": optimizer, "rate": rate}
    if checkpoint.exists():
        loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
        network.load_state_dict(loaded["network"])
        optimizer.load_state_dict(loaded["optimizer"])
        rate.load_state_dict(loaded["rate"])
        best, progress = loaded["best"], Progress(**loaded["progress"])
    while progress.step < schedule.steps and progress.waited < schedule.patience:
        chosen = _drawn(train, schedule, progress.step)
        torch.manual_seed(schedule.seed * 1_000_003 + progress.step)
        model.train()
        loss = _loss(network, examples, chosen, weights, schedule, fabric)
        if not torch.isfinite(loss):
            raise _not_finite(loss, progress, examples, chosen, checkpoint)
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=CLIP_NORM)
        optimizer.step()
        rate.step()
        progress.step += 1
        if progress.step % schedule.validate_every and progress.step < schedule.steps:
            listener(progress.step, {})
            continue
        measures = {"loss": loss.item(), **_validate(network, examples, validation)}
        progress.history.append({"step": progress.step, **measures})
        progress.waited += 1
        if measures["validation_loss"] < progress.best_loss:
            progress.best_loss, progress.best_step = measures["validation_loss"], progress.step
            progress.waited, best = 0, _copied(network)
        states = {name: part.state_dict() for name, part in state.items()}
        whole = {"network": network.state_dict(), "best": best, "progress": vars(progress)}
        _save(checkpoint, {**whole, **states})
        listener(progress.step, measures)
    network.load_state_dict(best)
    network.cpu().eval()
    return progress


def _drawn(train: np.ndarray, schedule: ScheduleSettings, step: int) -> np.ndarray:
    """Examples of a step: each epoch is another order of all, its last short batch left out."""
    batch = min(schedule.batch, len(train))
    epoch, turn = divmod(step, len(train) // batch)
    order = np.random.default_rng((schedule.seed, epoch)).permutation(train)
    return order[turn * batch : (turn + 1) * batch]


def _loss(
    network: Network,
    examples: TouchExamples,
    chosen: np.ndarray,
    weights: Mapping[str, Tensor],
    schedule: ScheduleSettings,
    fabric: Fabric,
) -> Tensor:
    """Mean over heads of the weighted cross-entropy of the examples that have a label."""
    present = {s: torch.from_numpy(there[chosen]).float() for s, there in examples.present.items()}
    present = fabric.to_device(_dropped(present, schedule.modality_dropout))
    logits = forward(network, fabric.to_device(dict(examples.batch(chosen))), present)
    losses = []
    for head, weight in weights.items():
        labels = torch.from_numpy(examples.labels[head][chosen])
        if (labels >= 0).any():
            losses.append(
                F.cross_entropy(
                    logits[head],
                    fabric.to_device(labels),
                    fabric.to_device(weight),
                    ignore_index=-1,
                    label_smoothing=schedule.smoothing,
                )
            )
    return torch.stack(losses).mean()


def _dropped(present: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Take streams away at random; an example keeps all that it has rather than lose all."""
    stack = torch.stack(list(present.values()))  # (S, B)
    kept = stack * (torch.rand(stack.shape) >= share)
    kept = torch.where(kept.any(0), kept, stack)
    return dict(zip(present, kept, strict=True))


def _weights(examples: TouchExamples, head: str, train: np.ndarray, balance: float) -> Tensor:
    """Weight of each class, 1 on average over the training examples."""
    labels = examples.labels[head][train]
    counts = np.bincount(labels[labels >= 0], minlength=len(examples.heads[head]))
    weights = np.maximum(counts, 1.0) ** -balance
    weights *= counts.sum() / (weights * counts).sum()
    return torch.from_numpy(weights.astype(np.float32))


def _optimizer(network: Network, schedule: ScheduleSettings) -> torch.optim.Optimizer:
    """AdamW without weight decay of biases, positions and normalizations."""
    free = [p for p in network.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in free if p.ndim > 1]},
        {"params": [p for p in free if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, schedule.learning_rate, weight_decay=schedule.weight_decay)


def _validate(
    network: Network, examples: TouchExamples, validation: np.ndarray
) -> dict[str, float]:
    """Mean over heads of loss and accuracy."""
    losses, right = [], []
    for head, logits in answers(network, examples, validation).items():
        labels = examples.labels[head][validation]
        known = labels >= 0
        if known.any():
            found, said = torch.from_numpy(labels[known]), torch.from_numpy(logits[known])
            losses.append(F.cross_entropy(said, found).item())
            right.append(float((said.argmax(1) == found).float().mean()))
    return {
        "validation_loss": float(np.mean(losses)),
        "validation_accuracy": float(np.mean(right)),
    }


def _save(checkpoint: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    save_bytes(checkpoint, buffer.getvalue())


def _copied(network: Network) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _not_finite(
    loss: Tensor,
    progress: Progress,
    examples: TouchExamples,
    chosen: np.ndarray,
    checkpoint: Path,
) -> DataError:
    """The error of a loss that is not finite, with the names of the batch in a file."""
    names = [examples.names[k] for k in chosen]
    told = checkpoint.with_name(STOPPED)
    save_text(told, "\n".join(names) + "\n")
    last = (
        f"step {progress.history[-1]['step']:.0f} is in {checkpoint}"
        if checkpoint.exists()
        else "none was written yet"
    )
    return DataError(
        f"loss {loss.item():g} is not finite; its batch: {len(names)} examples from {names[0]} "
        f"on, all in {told}",
        where=f"step {progress.step}",
        do=f"Last good checkpoint: {last}. Lower schedule.learning_rate.",
    )
