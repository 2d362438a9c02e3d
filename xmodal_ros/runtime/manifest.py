"""What a bundle's files say: names of the files, and the contents of `bundle.yaml`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.types import Order

if TYPE_CHECKING:
    from xmodal_ros.nn.architecture import Architecture

WEIGHTS, MANIFEST, CARD = "weights.safetensors", "bundle.yaml", "README.md"
FORMAT = 1
TASKS = ("material", "activity", "grasp")
# Prefixes, in the weights file, of the out-of-distribution statistics of heads and of branches.
STATISTICS, BRANCH_STATISTICS = "statistics", "branch_statistics"
# Sentences: a key of bundle.yaml, a member of a group of `spaces`, a prefix in the weights file.
TEXT = "text"


@dataclass(frozen=True)
class HeadCard:
    """What a head's numbers mean: labels, calibration and thresholds."""

    task: str = setting("material", "what it answers", choices=TASKS)
    labels: tuple[str, ...] = setting((), "one per class")
    temperature: float = setting(1.0, "divides the logits", low=0.01, high=100.0)
    abstain_below: float = setting(0.0, "confidence under which it abstains", low=0.0, high=1.0)
    threshold: float = setting(
        0.5, "probability of class 1 from which a two-class head decides for it", low=0.0, high=1.0
    )
    rates: tuple[tuple[float, ...], ...] = setting(
        (), "how often per second a class gives way to another, a row per class; empty for unknown"
    )
    evidence_s: float = setting(
        1.0, "time in which answers count as one, with rates", unit="s", low=0.01, high=60.0
    )

    temperatures: tuple[tuple[str, float], ...] = setting(
        (), "[streams, temperature] for where only those, joined by +, of the head's are there"
    )

    def __post_init__(self) -> None:
        validate(self, "")
        if self.rates:
            _require_rates(self.rates, len(self.labels))
        for row in self.temperatures:
            _require_temperature(row)

    def temperature_of(self, streams: Iterable[str]) -> float:
        """What divides the logits where these streams, in the head's order, are there."""
        return dict(self.temperatures).get("+".join(streams), self.temperature)

    @property
    def order(self) -> Order | None:
        """How the classes follow one another, where it is known."""
        return Order(np.array(self.rates), self.evidence_s) if self.rates else None


@dataclass(frozen=True)
class PointsCard:
    """What the classes of a LiDAR's points mean."""

    labels: tuple[str, ...] = setting((), "one per class")
    temperature: float = setting(1.0, "divides the logits", low=0.01, high=100.0)
    abstain_below: float = setting(
        0.0, "confidence under which a point has no class", low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        validate(self, "")


@dataclass(frozen=True)
class TextCard:
    """The sentence encoder that a bundle's projection of text was trained with."""

    encoder: str = setting("", "its name")
    version: str = setting("", "of the package that it comes from")

    def __post_init__(self) -> None:
        validate(self, "")


@dataclass(frozen=True)
class BackendRecord:
    """How one backend compared with torch fp32 when the bundle was exported."""

    backend: str = setting("torch", "name of the backend")
    device: str = setting("cpu", "cpu or cuda")
    precision: str = setting("fp32", "number format", choices=["fp32", "fp16", "bf16"])
    difference: float = setting(0.0, "largest difference of a probability", low=0.0, high=1.0)
    passed: bool = setting(False, "whether the difference is within the precision's tolerance")
    milliseconds: float = setting(0.0, "median per observation, nothing cached", low=0.0)
    milliseconds_p10: float = setting(0.0, "10th percentile", low=0.0)
    milliseconds_p90: float = setting(0.0, "90th percentile", low=0.0)

    def __post_init__(self) -> None:
        validate(self, "")


@dataclass(frozen=True)
class Manifest:
    """A bundle's facts, verified."""

    path: Path
    id: str
    licence: str
    weights_hash: str
    """SHA-256 of the weights file, hexadecimal."""
    architecture: Mapping[str, Any]
    spec: Architecture
    heads: Mapping[str, HeadCard]
    points: Mapping[str, PointsCard] = field(default_factory=dict)
    """By branch."""
    spaces: tuple[tuple[str, ...], ...] = ()
    """Branches, and `TEXT`, whose embeddings were trained to be compared with each other's."""
    text: TextCard | None = None
    """None where sentences cannot be compared with what is sensed."""
    backends: tuple[BackendRecord, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)


def _require_rates(rates: Sequence[Sequence[float]], count: int) -> None:
    try:
        numbers = np.array(rates, np.float64)
    except (TypeError, ValueError):  # rows of different lengths, or no numbers
        numbers = np.zeros(0)
    if (
        numbers.shape != (count, count)
        or not (np.isfinite(numbers) & (numbers >= 0)).all()
        or np.diag(numbers).any()
    ):
        raise SettingsError(
            f"got {rates!r}",
            where="rates",
            expected=f"{count} rows of {count} numbers from 0 on, 0 on the diagonal",
        )


def _require_temperature(row: Any) -> None:
    match row:
        case (str(), int() | float() as value) if 0.01 <= value <= 100:
            return
    raise SettingsError(
        f"got {row!r}",
        where="temperatures",
        expected="names of streams, and a value from 0.01 to 100",
    )


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
