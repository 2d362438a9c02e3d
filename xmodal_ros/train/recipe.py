"""A recipe: what is trained, on which task, and how, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xmodal_ros.core.declare import setting, validate


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network learns."""

    steps: int = setting(200, "optimizer steps", low=1, high=10_000_000)
    batch: int = setting(64, "examples per step", low=1, high=65_536)
    learning_rate: float = setting(2e-3, "peak of the one-cycle schedule", low=0.0, high=10.0)
    weight_decay: float = setting(0.1, "of AdamW", low=0.0, high=10.0)
    smoothing: float = setting(0.05, "label smoothing", low=0.0, high=0.5)
    mixing: float = setting(
        0.0, "parameter of mixup's Beta distribution; 0 for none", low=0.0, high=10.0
    )
    balance: float = setting(
        0.5, "classes are drawn by their frequency to the power of 1 - balance", low=0.0, high=1.0
    )
    contrastive_steps: int = setting(
        200, "steps of SimCLR before the supervised ones; 0 for none", low=0, high=10_000_000
    )
    contrastive_temperature: float = setting(0.1, "of NT-Xent (SLIP)", low=0.01, high=10.0)

    def __post_init__(self) -> None:
        validate(self, "schedule")


@dataclass(frozen=True)
class Recipe:
    """One network for one task."""

    name: str
    task: str
    """Key of `tasks.TASKS`."""
    branches: Mapping[str, Mapping[str, Any]]
    streams: Mapping[str, str]
    """Branch by stream."""
    schedule: Schedule = field(default_factory=Schedule)
    trunk: Mapping[str, Any] = field(default_factory=dict)

    def architecture(self, classes: int) -> dict[str, Any]:
        """The mapping that `nn.build_network` takes, with this task's one head."""
        head = {"classes": classes, "streams": list(self.streams)}
        return {
            **self.trunk,
            "branches": {name: dict(values) for name, values in self.branches.items()},
            "streams": dict(self.streams),
            "heads": {self.task: head},
        }
