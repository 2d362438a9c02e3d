"""What examples give to training and scoring: labels, parts, and batches of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from torch import Tensor

Inputs = Mapping[str, "Tensor | tuple[Tensor, Tensor]"]
"""By stream: raw input, or what a frozen encoder made of it, (tokens, pooled feature)."""


class StreamExamples(Protocol):
    """Examples of streams, any of which may be absent."""

    @property
    def streams(self) -> tuple[str, ...]:
        """Names, in the order of the heads' inputs."""
        ...

    @property
    def present(self) -> Mapping[str, np.ndarray]:
        """By stream, where it is there `(N,) bool`."""
        ...

    def batch(self, chosen: np.ndarray) -> Inputs:
        """Inputs of the chosen examples by stream; of an absent one they mean nothing."""
        ...


class FeatureExamples(StreamExamples, Protocol):
    """Examples with labels of several heads, and what frozen encoders made of their streams."""

    names: list[str]

    @property
    def heads(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the classes by head."""
        ...

    @property
    def labels(self) -> Mapping[str, np.ndarray]:
        """By head `(N,) int64`, -1 where an example has none."""
        ...

    def indices(self, part: str) -> np.ndarray:
        """Of the examples of a part `(M,) int64`."""
        ...
