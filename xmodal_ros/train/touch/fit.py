"""The supervised stage: everything but the frozen encoders learns, until validation says stop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from torch import Tensor

from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.nn.network import Network
from xmodal_ros.train.learning import Listener, Progress, class_weights, learn
from xmodal_ros.train.touch.examples import TouchExamples
from xmodal_ros.train.touch.score import answers, forward
from xmodal_ros.train.touch.settings import ScheduleSettings


def fit(
    network: Network,
    examples: TouchExamples,
    schedule: ScheduleSettings,
    checkpoint: Path,
    listener: Listener = lambda step, measures: None,
) -> Progress:
    """Train, as `learn` does.

    Args:
        network: Changed in place.
        examples: Of its streams and heads.
        schedule: How.
        checkpoint: File to continue from.
        listener: Told of the progress.

    Raises:
        DataError: as `learn`.
    """
    return learn(network, _Task(network, examples, schedule), schedule, checkpoint, listener)


class _Task:
    def __init__(
        self, network: Network, examples: TouchExamples, schedule: ScheduleSettings
    ) -> None:
        self._network, self._examples, self._schedule = network, examples, schedule
        self.names = examples.names
        self.train = examples.indices(TRAIN)
        self._validation = examples.indices(VALIDATION)
        self._weights = {
            head: class_weights(examples.labels[head][self.train], len(names), schedule.balance)
            for head, names in examples.heads.items()
        }

    def loss(self, chosen: np.ndarray, fabric: Fabric) -> Tensor:
        return _loss(self._network, self._examples, chosen, self._weights, self._schedule, fabric)

    def validate(self) -> dict[str, float]:
        return _validate(self._network, self._examples, self._validation)


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
    present = fabric.to_device(dropped(present, schedule.modality_dropout))
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


def dropped(present: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Take streams away at random; an example keeps all that it has rather than lose all.

    Args:
        present: By stream, 1 where it is there. Shape: (batch,), float.
        share: Of the examples that lose each stream.
    """
    stack = torch.stack(list(present.values()))  # (S, B)
    kept = stack * (torch.rand(stack.shape) >= share)
    kept = torch.where(kept.any(0), kept, stack)
    return dict(zip(present, kept, strict=True))


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
