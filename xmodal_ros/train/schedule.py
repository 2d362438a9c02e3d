"""How a network learns, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from xmodal_ros.core.declare import setting


@dataclass(frozen=True)
class LearningSettings:
    """How long and how fast."""

    steps: int = setting(1500, "most optimizer steps", low=1, high=10_000_000)
    batch: int = setting(64, "examples per step", low=2, high=65_536)
    learning_rate: float = setting(1e-3, "peak of the one-cycle schedule", low=0.0, high=10.0)
    weight_decay: float = setting(0.05, "of AdamW", low=0.0, high=10.0)
    smoothing: float = setting(0.05, "label smoothing", low=0.0, high=0.5)
    balance: float = setting(
        0.5,
        "classes of each head are weighted by their frequency to the power of -balance",
        low=0.0,
        high=1.0,
    )
    validate_every: int = setting(100, "steps between validations", low=1, high=1_000_000)
    patience: int = setting(
        5, "validations without a better one, after which it ends", low=1, high=1_000_000
    )
    seed: int = setting(0, "of everything random", low=0, high=2**31 - 1)
