"""Learning by gradient steps until validation says stop; interrupted runs continue."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning.fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

from xmodal_ros.core.errors import DataError
from xmodal_ros.progress import progress_bar
from xmodal_ros.train.pretrain.files import save_bytes, save_text
from xmodal_ros.train.schedule import LearningSettings

CLIP_NORM = 1.0
STOPPED = "stopped.txt"
Listener = Callable[[int, Mapping[str, float]], None]
"""Told of steps done, and of the measures after a validation."""


class Task(Protocol):
    """What is learned."""

    names: list[str]
    """Of all examples."""
    train: np.ndarray
    """Indices of the examples to learn from `(N,) int64`."""

    def loss(self, chosen: np.ndarray, fabric: Fabric) -> Tensor:
        """Of a batch, the model in training mode."""
        ...

    def validate(self) -> Mapping[str, float]:
        """Measures, of which `validation_loss` decides when to stop."""
        ...


@dataclass
class Progress:
    """Where training is; with the weights and the optimizer all that a checkpoint has."""

    step: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    waited: int = 0
    """Validations since the best one."""
    history: list[dict[str, float]] = field(default_factory=list)


def learn(
    module: nn.Module,
    task: Task,
    schedule: LearningSettings,
    checkpoint: Path,
    listener: Listener = lambda step, measures: None,
) -> Progress:
    """Train; the module is left with the weights of the best validation, in evaluation mode.

    AdamW, a one-cycle schedule with cosine annealing, gradients clipped to a norm of 1. Random
    numbers follow from seed and step: a run that continues from its checkpoint ends with the same
    weights as one that was never interrupted.

    Args:
        module: Changed in place; what asks for no gradients stays.
        task: What it learns.
        schedule: How.
        checkpoint: File to continue from where it exists, written after each validation.
        listener: Told of the progress.

    Raises:
        DataError: the loss is not finite; names the step, the batch's examples and the last
            checkpoint. Or there is no room for a checkpoint; the last one stays.
    """
    fabric = Fabric(accelerator="auto", devices=1)
    model, optimizer = fabric.setup(module, _optimizer(module, schedule))
    count = schedule.steps + 1
    rising = max(0.2, 1.5 / count)  # a rise of no steps is divided by
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=count, pct_start=rising
    )
    progress = Progress()
    best = _copied(module)
    state: dict[str, Any] = {"optimizer": optimizer, "rate": rate}
    if checkpoint.exists():
        loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
        module.load_state_dict(loaded["network"])
        optimizer.load_state_dict(loaded["optimizer"])
        rate.load_state_dict(loaded["rate"])
        best, progress = loaded["best"], Progress(**loaded["progress"])
    while progress.step < schedule.steps and progress.waited < schedule.patience:
        chosen = _drawn(task.train, schedule, progress.step)
        torch.manual_seed(schedule.seed * 1_000_003 + progress.step)
        model.train()
        loss = task.loss(chosen, fabric)
        if not torch.isfinite(loss):
            raise _not_finite(loss, progress, [task.names[k] for k in chosen], checkpoint)
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=CLIP_NORM)
        optimizer.step()
        rate.step()
        progress.step += 1
        if progress.step % schedule.validate_every and progress.step < schedule.steps:
            listener(progress.step, {})
            continue
        model.eval()
        measures = {"loss": loss.item(), **task.validate()}
        progress.history.append({"step": progress.step, **measures})
        progress.waited += 1
        if measures["validation_loss"] < progress.best_loss:
            progress.best_loss, progress.best_step = measures["validation_loss"], progress.step
            progress.waited, best = 0, _copied(module)
        states = {name: part.state_dict() for name, part in state.items()}
        whole = {"network": module.state_dict(), "best": best, "progress": vars(progress)}
        _save(checkpoint, {**whole, **states})
        listener(progress.step, measures)
    module.load_state_dict(best)
    module.cpu().eval()
    return progress


@contextlib.contextmanager
def shown(console: Console, steps: int, title: str) -> Iterator[Listener]:
    """A progress bar with the last validation beside it."""
    with progress_bar(console, title, steps) as bar:
        told = ""

        def listen(step: int, measures: Mapping[str, float]) -> None:
            nonlocal told
            told = ", ".join(f"{n.replace('_', ' ')} {v:.3f}" for n, v in measures.items()) or told
            bar.update(step, f"{step}/{steps} {told}")

        yield listen


def class_weights(labels: np.ndarray, classes: int, balance: float) -> Tensor:
    """Weight of each class, 1 on average over the examples.

    Args:
        labels: `(N,)`, negative where there is none.
        classes: How many there are.
        balance: Weights are frequencies to the power of -balance.
    """
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    weights = np.maximum(counts, 1.0) ** -balance
    weights *= counts.sum() / (weights * counts).sum()
    return torch.from_numpy(weights.astype(np.float32))


def _drawn(train: np.ndarray, schedule: LearningSettings, step: int) -> np.ndarray:
    """Examples of a step: each epoch is another order of all, its last short batch left out."""
    batch = min(schedule.batch, len(train))
    epoch, turn = divmod(step, len(train) // batch)
    order = np.random.default_rng((schedule.seed, epoch)).permutation(train)
    return order[turn * batch : (turn + 1) * batch]


def _optimizer(module: nn.Module, schedule: LearningSettings) -> torch.optim.Optimizer:
    """AdamW without weight decay of biases, positions and normalizations."""
    free = [p for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in free if p.ndim > 1]},
        {"params": [p for p in free if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, schedule.learning_rate, weight_decay=schedule.weight_decay)


def _save(checkpoint: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    save_bytes(checkpoint, buffer.getvalue())


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}


def _not_finite(
    loss: Tensor, progress: Progress, names: Sequence[str], checkpoint: Path
) -> DataError:
    """The error of a loss that is not finite, with the names of the batch in a file."""
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
