"""What the miniature consists of and how its stages learn, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.data.settings_file import overridden
from xmodal_ros.runtime.language.settings import ReaderSettings


@dataclass(frozen=True)
class DecoderSettings:
    """The language model."""

    vocabulary: int = setting(512, "tokens of byte-pair encoding", low=260, high=100_000)
    width: int = setting(128, "hidden size", low=16, high=4096)
    depth: int = setting(3, "layers", low=1, high=64)
    heads: int = setting(4, "attention heads", low=1, high=64)
    positions: int = setting(256, "most tokens it reads", low=16, high=1_000_000)

    def __post_init__(self) -> None:
        validate(self, "decoder")


@dataclass(frozen=True)
class EncoderSettings:
    """The frozen image encoder and the IMU's."""

    weights: str = setting("package", "of the image encoder: package, hub, random, or a file")
    backbone: str = setting("tf_efficientnet_lite0", "any name that timm knows")
    size: int = setting(160, "height and width of images", unit="px", low=8, high=4096)
    level: int = setting(3, "feature map the tokens come from; -1 for the last", low=-1, high=64)
    grid: int = setting(5, "rows and columns of tokens", low=1, high=64)
    dim: int = setting(128, "size of the shared embedding space", low=8, high=4096)
    samples: int = setting(64, "samples in an IMU window", low=8, high=65_536)
    rate_hz: float = setting(50.0, "rate of the window", unit="Hz", low=1.0, high=10_000.0)
    imu_width: int = setting(96, "channels inside the IMU encoder", low=8, high=4096)
    imu_depth: int = setting(3, "its transformer blocks", low=1, high=64)

    def __post_init__(self) -> None:
        validate(self, "encoder")


@dataclass(frozen=True)
class ScheduleSettings:
    """How long and how fast the stages learn."""

    look_steps: int = setting(500, "of reader and projections", low=1, high=10_000_000)
    steps: int = setting(500, "of the decoder", low=1, high=10_000_000)
    align_steps: int = setting(600, "of the IMU encoder's alignment", low=1, high=10_000_000)
    adapter_steps: int = setting(800, "of the IMU's adapter", low=1, high=10_000_000)
    head_steps: int = setting(300, "of the classifier beside it", low=1, high=10_000_000)
    batch: int = setting(48, "questions per step", low=2, high=65_536)
    look_batch: int = setting(128, "moments per step of the probes", low=2, high=65_536)
    align_batch: int = setting(256, "moments per step of the alignment", low=2, high=65_536)
    learning_rate: float = setting(2e-3, "peak of the one-cycle schedules", low=0.0, high=10.0)
    per_activity: int = setting(
        4, "most moments of one activity's interval, spread over time", low=1, high=1_000_000
    )
    seed: int = setting(0, "of everything random", low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        validate(self, "schedule")


@dataclass(frozen=True)
class MiniatureSettings:
    """All of it."""

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    reader: ReaderSettings = field(
        default_factory=lambda: ReaderSettings(latents=8, depth=2, heads=4, head_dim=32)
    )
    decoder: DecoderSettings = field(default_factory=DecoderSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)


def read_overrides(overrides: Sequence[str]) -> MiniatureSettings:
    """Settings from `group.name=value` texts on top of the defaults.

    Raises:
        SettingsError: a group or setting is unknown, or a value is out of range.
    """
    return overridden(MiniatureSettings(), overrides)
