"""The one training loop: a contrastive stage for frozen encoders, then a supervised one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from rich.progress import track
from torch import Tensor, nn

from xmodal_ros.nn.losses.ntxent import ntxent
from xmodal_ros.nn.network import Network, Output
from xmodal_ros.train.examples import Examples, Inputs
from xmodal_ros.train.recipe import Schedule

PROJECTION = 128
"""Outputs of SimCLR's projection head."""
SAVE_EVERY = 100
"""Steps between checkpoints."""
CLIP_NORM = 1.0


def forward(network: Network, inputs: Inputs) -> Output:
    """Predict from raw inputs, or from what a frozen encoder has already made of them."""
    features: dict[str, tuple[Tensor, Tensor]] = {}
    for stream, given in inputs.items():
        if isinstance(given, tuple):
            tokens, pooled = given
            embed = network.branch(stream).contrastive.embed
            features[stream] = tokens, F.normalize(embed(pooled), dim=-1)
        else:
            features[stream] = network.features(stream, {stream: given})
    return network.forward_features(features)


def align(
    network: Network, examples: Any, chosen: np.ndarray, schedule: Schedule, seed: int
) -> None:
    """SimCLR on cached features: train the projection into the shared space, then freeze it.

    The backbone is frozen from the start; only `embed` learns, through a projection head that is
    thrown away.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    stream = next(iter(network.architecture.streams))
    contrastive = network.branch(stream).contrastive
    embed = contrastive.embed
    embed.requires_grad_(True)
    dim = contrastive.dim
    projection = nn.Sequential(
        nn.Linear(dim, dim), nn.BatchNorm1d(dim), nn.ReLU(), nn.Linear(dim, PROJECTION)
    )
    optimizer = torch.optim.AdamW([*embed.parameters(), *projection.parameters()], 1e-3)
    for _ in range(schedule.contrastive_steps):
        picked = rng.choice(chosen, min(schedule.batch * 2, len(chosen)), replace=False)
        pair = [torch.from_numpy(p) for p in examples.pairs(picked, rng)]
        first, second = projection(F.normalize(embed(torch.cat(pair)), dim=1)).chunk(2)
        loss = ntxent(first, second, schedule.contrastive_temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    embed.requires_grad_(False)


def fit(
    network: Network,
    examples: Examples,
    chosen: np.ndarray,
    schedule: Schedule,
    *,
    seed: int,
    checkpoint: Path | None = None,
    title: str = "training",
) -> None:
    """Train a network's free parameters on the chosen examples.

    Args:
        network: Changed in place; left in evaluation mode.
        examples: Of the network's one head.
        chosen: Indices to train on.
        schedule: How.
        seed: Of batches, augmentation and dropout.
        checkpoint: File to continue from where it exists, written every `SAVE_EVERY` steps. A run
            that continues gives the same result as one that was never interrupted.
        title: Of the progress bar.
    """
    fabric = Fabric(accelerator="auto", devices=1)
    free = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(free, schedule.learning_rate, weight_decay=schedule.weight_decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, schedule.steps, pct_start=0.15
    )
    model, optimizer = fabric.setup(network, optimizer)
    model.mark_forward_method("forward_features")
    state = {"model": model, "optimizer": optimizer, "rate": rate, "step": 0}
    if checkpoint is not None and checkpoint.exists():
        fabric.load(checkpoint, state)
    (head,) = network.heads
    weights = _sampling(examples.index.targets[chosen], schedule.balance)
    network.train()
    for step in track(range(state["step"], schedule.steps), title, transient=True):
        # Each step has its own generator: an interrupted run draws what the whole one does.
        rng = np.random.default_rng((seed, step))
        torch.manual_seed(seed * schedule.steps + step)
        picked = rng.choice(chosen, schedule.batch, p=weights)
        inputs = examples.batch(picked, rng)
        targets = torch.from_numpy(examples.index.targets[picked])
        inputs, targets = mix(inputs, targets, schedule.mixing, rng)
        logits = forward(network, _moved(fabric, inputs)).logits[head]
        loss = F.cross_entropy(
            logits, fabric.to_device(targets), label_smoothing=schedule.smoothing
        )
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=CLIP_NORM)
        optimizer.step()
        rate.step()
        state["step"] = step + 1
        if checkpoint is not None and (step + 1) % SAVE_EVERY == 0:
            fabric.save(checkpoint, state)
    network.cpu().eval()


def predict(network: Network, examples: Examples, chosen: np.ndarray) -> np.ndarray:
    """Logits `(N, C) float32` of the chosen examples, not augmented."""
    (head,) = network.heads
    with torch.inference_mode():
        parts = [forward(network, examples.batch(c, None)).logits[head] for c in _chunks(chosen)]
    return torch.cat(parts).numpy()


def describe(network: Network, examples: Examples, chosen: np.ndarray) -> np.ndarray:
    """What the classifier reads of the chosen examples `(N, d) float32`."""
    (head,) = network.heads
    with torch.inference_mode():
        parts = [forward(network, examples.batch(c, None)).features[head] for c in _chunks(chosen)]
    return torch.cat(parts).numpy()


def mix(
    inputs: Inputs, targets: Tensor, alpha: float, rng: np.random.Generator
) -> tuple[Inputs, Tensor]:
    """Mixup (arXiv 1710.09412) of a batch with itself in another order; none for `alpha` 0."""
    if not alpha:
        return inputs, targets
    order = torch.from_numpy(rng.permutation(len(targets)))
    share = torch.from_numpy(rng.beta(alpha, alpha, len(targets)).astype(np.float32))

    def blend(x: Tensor) -> Tensor:
        w = share.view(-1, *[1] * (x.ndim - 1))
        return w * x + (1 - w) * x[order]

    mixed = {
        name: (blend(given[0]), blend(given[1])) if isinstance(given, tuple) else blend(given)
        for name, given in inputs.items()
    }
    return mixed, blend(targets)


def _sampling(targets: np.ndarray, balance: float) -> np.ndarray:
    """Probability of drawing each example: alike at `balance` 0, classes alike at 1."""
    labels = targets.argmax(1)
    weights = np.bincount(labels, minlength=targets.shape[1])[labels] ** -balance
    return weights / weights.sum()


def _moved(fabric: Fabric, inputs: Inputs) -> Inputs:
    return {name: fabric.to_device(given) for name, given in inputs.items()}


def _chunks(chosen: np.ndarray, size: int = 128) -> Iterator[np.ndarray]:
    return (chosen[i : i + size] for i in range(0, len(chosen), size))
