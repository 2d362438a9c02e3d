"""What a joint space is trained with, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.data.settings_file import overridden
from xmodal_ros.train.schedule import LearningSettings


@dataclass(frozen=True)
class MomentSettings:
    """What of recordings is read."""

    per_instance: int = setting(
        4, "most moments of an instance: a time with the same labels throughout", low=1, high=1000
    )
    settled_s: float = setting(
        0.3, "beginning of an instance that is left out", unit="s", low=0.0, high=60.0
    )

    def __post_init__(self) -> None:
        validate(self, "moments")


@dataclass(frozen=True)
class SpaceSettings:
    """The projections."""

    dim: int = setting(128, "size of the space", low=8, high=4096)
    noise: float = setting(
        0.1, "noise on features in training, as a share of their deviation", low=0.0, high=10.0
    )
    text: str = setting(
        "all-minilm-l6-v2", "name of the text encoder", choices=["all-minilm-l6-v2"]
    )

    def __post_init__(self) -> None:
        validate(self, "space")


@dataclass(frozen=True)
class LossSettings:
    """What is minimized; an objective of weight 0 is not computed."""

    infonce: float = setting(1.0, "weight of InfoNCE", low=0.0, high=100.0)
    sigmoid: float = setting(0.0, "weight of the sigmoid loss", low=0.0, high=100.0)
    positives: str = setting(
        "several",
        "one: what other modalities sensed at the same moment; several: all views of the instance "
        "and every caption that is true of it",
        choices=["one", "several"],
    )
    candidates: str = setting(
        "all",
        "pair: an anchor is compared with one modality at a time; all: with all at once",
        choices=["pair", "all"],
    )
    temperature: float = setting(0.07, "at the beginning; it is learned", low=0.01, high=10.0)

    def __post_init__(self) -> None:
        validate(self, "loss")


@dataclass(frozen=True)
class FusionSettings:
    """The fusion that only training has."""

    weight: float = setting(1.0, "lambda, beside the other losses' 1", low=0.0, high=100.0)
    balance: str = setting(
        "fixed",
        "fixed; ramp: from 0 to lambda along the first half; uncertainty: learned (arXiv "
        "1705.07115); gradients: lambda times the ratio of the norms of both gradients",
        choices=["fixed", "ramp", "uncertainty", "gradients"],
    )
    depth: int = setting(1, "transformer blocks; 0 for the mean of the views", low=0, high=16)
    heads: int = setting(4, "attention heads", low=1, high=64)
    dropout: float = setting(
        0.5, "share of the modalities that a fused view does not get", low=0.0, high=0.9
    )

    def __post_init__(self) -> None:
        validate(self, "fusion")


@dataclass(frozen=True)
class ScheduleSettings(LearningSettings):
    """How long and how fast."""

    steps: int = setting(250, "most optimizer steps", low=1, high=10_000_000)
    batch: int = setting(128, "instances per step", low=2, high=65_536)
    views: int = setting(2, "moments of each instance per step", low=1, high=64)
    validate_every: int = setting(50, "steps between validations", low=1, high=1_000_000)

    def __post_init__(self) -> None:
        validate(self, "schedule")


@dataclass(frozen=True)
class JointSettings:
    """All of it."""

    moments: MomentSettings = field(default_factory=MomentSettings)
    space: SpaceSettings = field(default_factory=SpaceSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    fusion: FusionSettings = field(default_factory=FusionSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)


def read_overrides(overrides: Sequence[str], base: JointSettings | None = None) -> JointSettings:
    """Settings from `group.name=value` texts on top of others, the defaults if None.

    Raises:
        SettingsError: a group or setting is unknown, or a value is out of range.
    """
    return overridden(base or JointSettings(), overrides)
