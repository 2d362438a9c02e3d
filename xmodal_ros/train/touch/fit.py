"""The supervised stage: everything but the frozen encoders learns, until validation says stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from torch import Tensor

from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.nn.network import Network
from xmodal_ros.train.examples import FeatureExamples
from xmodal_ros.train.learning import Listener, Progress, class_weights, learn
from xmodal_ros.train.schedule import LearningSettings
from xmodal_ros.train.touch.score import answers, forward

Hide = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
"""From which streams are there, 1 or 0 by stream (batch,), to those that are still shown."""


def fit(
    network: Network,
    examples: FeatureExamples,
    schedule: LearningSettings,
    checkpoint: Path,
    listener: Listener = lambda step, measures: None,
    *,
    hide: Hide,
) -> Progress:
    """Train, as `learn` does.

    Args:
        network: Changed in place.
        examples: Of its streams and heads.
        schedule: How.
        checkpoint: File to continue from.
        listener: Told of the progress.
        hide: Takes streams away from a batch.

    Raises:
        DataError: as `learn`.
    """
    task = _Task(network, examples, schedule, hide)
    return learn(network, task, schedule, checkpoint, listener)


class _Task:
    def __init__(
        self, network: Network, examples: FeatureExamples, schedule: LearningSettings, hide: Hide
    ) -> None:
        self._network, self._examples, self._schedule = network, examples, schedule
        self._hide = hide
        self.names = examples.names
        self.train = examples.indices(TRAIN)
        self._validation = examples.indices(VALIDATION)
        self._weights = {
            head: class_weights(examples.labels[head][self.train], len(names), schedule.balance)
            for head, names in examples.heads.items()
        }

    def loss(self, chosen: np.ndarray, fabric: Fabric) -> Tensor:
        """Mean over heads of the weighted cross-entropy of the examples that have a label."""
        examples = self._examples
        there = {s: torch.from_numpy(x[chosen]).float() for s, x in examples.present.items()}
        present = fabric.to_device(self._hide(there))
        inputs = fabric.to_device(dict(examples.batch(chosen)))
        logits = forward(self._network, inputs, present)
        losses = []
        for head, weight in self._weights.items():
            labels = torch.from_numpy(examples.labels[head][chosen])
            if (labels >= 0).any():
                losses.append(
                    F.cross_entropy(
                        logits[head],
                        fabric.to_device(labels),
                        fabric.to_device(weight),
                        ignore_index=-1,
                        label_smoothing=self._schedule.smoothing,
                    )
                )
        return torch.stack(losses).mean()

    def validate(self) -> dict[str, float]:
        return _validate(self._network, self._examples, self._validation)


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
    network: Network, examples: FeatureExamples, validation: np.ndarray
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
