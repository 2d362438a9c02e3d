"""The architecture of a network as plain data, checked before anything is built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xmodal_ros.core.declare import from_mapping, setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.types import IMU_VALUES, Modality
from xmodal_ros.core.windows import Resampled
from xmodal_ros.nn.lidar_settings import LidarSettings, PointsSettings
from xmodal_ros.nn.normalize import NORMALIZATIONS


@dataclass(frozen=True)
class ImageSettings:
    """A branch that reads one image: a timm backbone and the tokens taken from it."""

    backbone: str = setting("tf_efficientnet_lite0", "any name that timm knows")
    height: int = setting(224, "input height", unit="px", low=8, high=4096)
    width: int = setting(224, "input width", unit="px", low=8, high=4096)
    normalization: str = setting(
        "centred", "how colours become network inputs", choices=list(NORMALIZATIONS)
    )
    level: int = setting(
        -1, "feature map the tokens come from, 0 the finest; -1 for the last", low=-1, high=64
    )
    rows: int = setting(0, "tokens are pooled to this many rows; 0 to keep all", low=0, high=64)
    columns: int = setting(0, "tokens are pooled to this many columns", low=0, high=64)
    frozen: bool = setting(
        True, "whether the encoder of the embedding is kept as it was pretrained"
    )

    modality = Modality.CAMERA

    def __post_init__(self) -> None:
        validate(self, "")


@dataclass(frozen=True)
class GelSettings(ImageSettings):
    """A branch that reads a clip of a tactile sensor, frame by frame."""

    normalization: str = setting(
        "relative", "how colours become network inputs", choices=list(NORMALIZATIONS)
    )
    rows: int = setting(2, "tokens are pooled to this many rows; 0 to keep all", low=0, high=64)
    columns: int = setting(3, "tokens are pooled to this many columns", low=0, high=64)
    difference: str = setting(
        "previous",
        "what is subtracted from a frame after normalization: the clip's previous frame, which "
        "leaves motion; the no-contact image, where known, which leaves contact; or none",
        choices=["none", "previous", "reference"],
    )
    gain: float = setting(4.0, "multiplies what the backbone sees", low=0.01, high=100.0)
    frames: int = setting(12, "images in a clip", low=1, high=256)
    spacing_s: float = setting(
        0.16, "time between images of a clip", unit="s", low=0.001, high=10.0
    )
    depth: int = setting(1, "layers of temporal attention", low=1, high=16)
    temporal_heads: int = setting(4, "heads of temporal attention", low=1, high=64)

    modality = Modality.TACTILE

    def __post_init__(self) -> None:
        validate(self, "")
        if self.steps < 1:
            raise SettingsError(
                f"got {self.frames}", where="frames", expected="at least 2 to take differences"
            )

    @property
    def steps(self) -> int:
        """Encoded images per clip: the oldest has no previous one to be compared with."""
        return self.frames - (self.difference == "previous")


@dataclass(frozen=True)
class ImuSettings:
    """A branch that reads a window of specific force and angular rate."""

    samples: int = setting(128, "samples in a window", low=8, high=65_536)
    rate_hz: float = setting(50.0, "rate of the window", unit="Hz", low=1.0, high=10_000.0)
    lowpass: bool = setting(
        False, "whether what is too fast for the rate is filtered out, or appears as slow motion"
    )
    channels: int = setting(
        6,
        "specific force and angular rate; with 12, of two devices, no node serves it",
        low=1,
        high=1024,
    )
    frame: str = setting(
        "sensor",
        "frame of the vectors: the sensor's; level, which neither turns nor depends on how the "
        "sensor is mounted; or both, side by side",
        choices=["sensor", "level", "both"],
    )
    patch: int = setting(16, "samples per token", low=1, high=4096)
    stride: int = setting(16, "samples from one token to the next", low=1, high=4096)
    width: int = setting(128, "channels inside the encoder", low=8, high=4096)
    depth: int = setting(4, "transformer blocks", low=1, high=64)
    heads: int = setting(4, "attention heads", low=1, high=64)
    norm: str = setting("batch", "normalization inside the blocks", choices=["batch", "layer"])
    dropout: float = setting(0.1, "dropped share in training", low=0.0, high=0.9)
    frozen: bool = setting(False, "whether the encoder is kept as it was pretrained")

    modality = Modality.IMU

    def __post_init__(self) -> None:
        validate(self, "")
        if self.patch > self.samples:
            raise SettingsError(
                f"got {self.patch}", where="patch", expected=f"at most samples ({self.samples})"
            )
        _divides(self.width, self.heads, "width")
        if self.frame != "sensor" and self.channels != IMU_VALUES:
            raise SettingsError(
                f"got '{self.frame}'",
                where="frame",
                expected=f"sensor: of {self.channels} channels it is not known what they are",
            )

    @property
    def window(self) -> Resampled:
        """How the stream is read, live and in training."""
        return Resampled(self.samples, self.rate_hz, self.lowpass)


BranchSettings = ImageSettings | GelSettings | ImuSettings | LidarSettings
BRANCHES: dict[str, type[Any]] = {
    "image": ImageSettings,
    "gel": GelSettings,
    "imu": ImuSettings,
    "lidar": LidarSettings,
}


@dataclass(frozen=True)
class HeadSettings:
    """A classifier over the fused embedding of some streams."""

    classes: int = setting(2, "number of classes", low=2, high=100_000)
    streams: tuple[str, ...] = setting((), "names of the streams it reads")

    def __post_init__(self) -> None:
        validate(self, "")


@dataclass(frozen=True)
class Trunk:
    """What all branches and heads share."""

    dim: int = setting(192, "size d of the shared embedding space", low=8, high=4096)
    encoders: str = setting(
        "shared",
        "whether tokens come from the frozen encoder through adapters, or from a second one",
        choices=["shared", "separate"],
    )
    tokens: str = setting(
        "patch", "keys and values of the conditioning", choices=["patch", "pooled"]
    )
    embedding: str = setting(
        "linear",
        "how a pooled feature becomes an embedding: linear, or mlp, after a normalization and one "
        "hidden layer",
        choices=["linear", "mlp"],
    )
    fusion: str = setting(
        "cec",
        "cec conditions tokens on embeddings; for comparison, mean averages tokens, concat puts "
        "the streams' pooled tokens side by side, self_attention lets tokens attend to each "
        "other, gate weighs streams for each example",
        choices=["cec", "mean", "concat", "self_attention", "gate"],
    )
    attention_heads: int = setting(8, "heads of the conditioning", low=1, high=64)
    dropout: float = setting(0.1, "dropped share before a head, in training", low=0.0, high=0.9)

    def __post_init__(self) -> None:
        validate(self, "")
        _divides(self.dim, self.attention_heads, "dim")


@dataclass(frozen=True)
class Architecture:
    """A whole network: branches, which stream goes into which, and heads."""

    trunk: Trunk
    branches: Mapping[str, BranchSettings]
    streams: Mapping[str, str]
    """Branch by stream."""
    heads: Mapping[str, HeadSettings]
    points: Mapping[str, PointsSettings] = field(default_factory=dict)
    """Classifiers of points by branch."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Architecture:
        """Build from nested YAML.

        Raises:
            SettingsError: an unknown name, a value out of range, or a part that refers to none.
        """
        values = {"heads": {}, "points": {}, **values}
        parts = {name: _mapping(values, name, True) for name in ("branches", "streams")}
        parts["points"] = _mapping(values, "points", False)
        # A network may say of points alone what they are.
        parts["heads"] = _mapping(values, "heads", not parts["points"])
        trunk = {k: v for k, v in values.items() if k not in parts}
        branches = {n: _branch(n, v) for n, v in parts["branches"].items()}
        heads = {n: _head(n, v) for n, v in parts["heads"].items()}
        points = {n: _points(n, v, branches) for n, v in parts["points"].items()}
        for stream, branch in parts["streams"].items():
            _known(branch, branches, f"architecture.streams.{stream}")
        for name, head in heads.items():
            where = f"architecture.heads.{name}.streams"
            if not head.streams:
                raise SettingsError("no stream is named", where=where, expected="at least one")
            for stream in head.streams:
                _known(stream, parts["streams"], where)
        made = cls(_made(Trunk, trunk, "architecture"), branches, parts["streams"], heads, points)
        for name, branch in branches.items():
            if isinstance(branch, GelSettings):
                where = f"architecture.branches.{name}.temporal_heads"
                _divides(made.trunk.dim, branch.temporal_heads, where)
        return made

    def branch(self, stream: str) -> BranchSettings:
        """Settings of the branch that reads a stream."""
        return self.branches[self.streams[stream]]


def _mapping(values: Mapping[str, Any], name: str, required: bool) -> Mapping[str, Any]:
    part = values.get(name)
    if not isinstance(part, Mapping) or (required and not part):
        raise SettingsError(
            f"got {part!r}", where=f"architecture.{name}", expected="a mapping with an entry"
        )
    return part


def _branch(name: str, values: Any) -> BranchSettings:
    where = f"architecture.branches.{name}"
    if not isinstance(values, Mapping):
        raise SettingsError(f"got {values!r}", where=where, expected="a mapping")
    kind = values.get("kind")
    _known(kind, BRANCHES, f"{where}.kind")
    made: BranchSettings = _made(
        BRANCHES[str(kind)], {k: v for k, v in values.items() if k != "kind"}, where
    )
    return made


def _head(name: str, values: Any) -> HeadSettings:
    where = f"architecture.heads.{name}"
    if not isinstance(values, Mapping) or not isinstance(values.get("streams"), (list, tuple)):
        raise SettingsError(f"got {values!r}", where=where, expected="classes and a streams list")
    head: HeadSettings = _made(
        HeadSettings, {**values, "streams": tuple(values["streams"])}, where
    )
    return head


def _points(name: str, values: Any, branches: Mapping[str, BranchSettings]) -> PointsSettings:
    where = f"architecture.points.{name}"
    _known(name, branches, where)
    if not isinstance(branches[name], LidarSettings):
        raise SettingsError(
            "this branch sees no points", where=where, expected="the name of one of kind lidar"
        )
    if not isinstance(values, Mapping):
        raise SettingsError(f"got {values!r}", where=where, expected="a mapping with classes")
    made: PointsSettings = _made(PointsSettings, values, where)
    return made


def _made(cls: type[Any], values: Mapping[str, Any], where: str) -> Any:
    try:
        return from_mapping(cls, values, where)
    except SettingsError as error:
        raise (error if error.where.startswith(where) else located(error, where)) from None


def located(error: SettingsError, where: str) -> SettingsError:
    """The same error, of a part that did not know where in the architecture it is."""
    return SettingsError(
        error.what, where=f"{where}.{error.where}", expected=error.expected, do=error.do
    )


def _known(name: Any, known: Mapping[str, Any], where: str) -> None:
    if name not in known:
        raise SettingsError(f"got {name!r}", where=where, expected="one of " + ", ".join(known))


def _divides(size: int, heads: int, where: str) -> None:
    if size % heads:
        raise SettingsError(
            f"{size} cannot be split into {heads} heads", where=where, expected="a multiple"
        )
