"""Settings: the one source of parameters, YAML keys, command-line options and their documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from xmodal_ros.core.declare import from_mapping, setting, unknown, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.language import LanguageSettings
from xmodal_ros.core.smoothing import SmoothingSettings
from xmodal_ros.core.types import Modality


@dataclass(frozen=True)
class StreamSettings:
    """One named source of one modality, and how it is aligned to the anchor."""

    name: str = setting("camera", "name of the stream; a bundle's inputs are found by it")
    modality: str = setting("camera", "kind of sensor", choices=[m.value for m in Modality])
    topic: str = setting(
        "", "topic to subscribe to; relative names are resolved in the node's namespace"
    )
    type: str = setting(
        "",
        "message type; empty for the modality's own (sensor_msgs Image, Imu, PointCloud2)",
        choices=[
            "",
            "sensor_msgs/msg/Image",
            "sensor_msgs/msg/CompressedImage",
            "sensor_msgs/msg/Imu",
            "sensor_msgs/msg/PointCloud2",
        ],
    )
    required: bool = setting(False, "whether no observation is formed without this stream")
    offset_s: float = setting(
        0.0, "added to this stream's stamps before matching", unit="s", low=-10.0, high=10.0
    )
    tolerance_s: float = setting(
        0.05,
        "largest distance from the anchor at which a message matches",
        unit="s",
        low=0.0,
        high=10.0,
    )
    wait: bool = setting(
        True,
        "whether a set waits for a message of this stream that could be nearer; false, for slow "
        "sensors, takes the nearest one that is there when the others have come",
    )
    reliability: str = setting(
        "reliable", "QoS reliability of the subscription", choices=["reliable", "best_effort"]
    )
    durability: str = setting(
        "volatile", "QoS durability of the subscription", choices=["volatile", "transient_local"]
    )
    depth: int = setting(
        5, "QoS history depth of the subscription", unit="messages", low=1, high=1000
    )

    def __post_init__(self) -> None:
        validate(self, f"streams.{self.name}")

    @property
    def message_type(self) -> str:
        """The message type subscribed to."""
        return self.type or DEFAULT_TYPES[Modality(self.modality)]


DEFAULT_TYPES = {
    Modality.CAMERA: "sensor_msgs/msg/Image",
    Modality.TACTILE: "sensor_msgs/msg/Image",
    Modality.IMU: "sensor_msgs/msg/Imu",
    Modality.LIDAR: "sensor_msgs/msg/PointCloud2",
}


@dataclass(frozen=True)
class SyncSettings:
    """How streams are put together into observations."""

    anchor: str = setting(
        "",
        "stream whose messages set the times; empty for the first tactile stream, else the first",
    )
    timeout_s: float = setting(
        0.15,
        "how long after an anchor's stamp its set waits for other streams",
        unit="s",
        low=0.0,
        high=10.0,
    )
    max_messages: int = setting(
        4096, "buffer bound per stream", unit="messages", low=2, high=100_000
    )
    max_megabytes: float = setting(
        256.0, "buffer bound per stream", unit="MB", low=1.0, high=16_384.0
    )
    max_future_s: float = setting(
        1.0,
        "stamps further ahead of the clock than this are refused",
        unit="s",
        low=0.0,
        high=3600.0,
    )
    jump_back_s: float = setting(
        1.0,
        "a stamp this far before the last one means the clock was set back",
        unit="s",
        low=0.01,
        high=3600.0,
    )

    def __post_init__(self) -> None:
        validate(self, "sync")


@dataclass(frozen=True)
class InferenceSettings:
    """Which bundle runs, and on what."""

    bundle: str = setting("", "folder of the model bundle; empty for the one that is installed")
    taught: str = setting(
        "", "file of the materials that the bundle is taught, made with the first; empty for none"
    )
    backend: str = setting(
        "auto", "inference backend", choices=["auto", "torch", "openvino", "onnxruntime"]
    )
    device: str = setting(
        "auto", "auto, cpu, cuda or cuda:N; a GPU asked for by name must be there"
    )
    precision: str = setting(
        "auto", "number format of the backend", choices=["auto", "fp32", "fp16", "bf16"]
    )
    threads: int = setting(0, "CPU threads of the backend; 0 for its own choice", low=0, high=1024)

    def __post_init__(self) -> None:
        validate(self, "inference")


@dataclass(frozen=True)
class OutputSettings:
    """What the node publishes besides predictions, and how often."""

    max_rate_hz: float = setting(
        0.0,
        "most predictions per second; 0 for every observation",
        unit="Hz",
        low=0.0,
        high=1000.0,
        read_only=False,
    )
    embeddings: bool = setting(
        False, "publish one Embedding per stream and observation", read_only=False
    )
    points: bool = setting(
        True, "publish the class of each point of a LiDAR while somebody listens", read_only=False
    )
    diagnostics_period_s: float = setting(
        1.0, "time between diagnostics", unit="s", low=0.1, high=60.0
    )
    starved_after_s: float = setting(
        2.0,
        "silence after which an input is reported",
        unit="s",
        low=0.1,
        high=600.0,
        read_only=False,
    )
    lock_step: bool = setting(
        False,
        "acknowledge each message when it is done with, for `xmodal play --lock-step`; "
        "time is then the messages' own",
    )

    def __post_init__(self) -> None:
        validate(self, "output")


DEFAULT_STREAMS = (
    StreamSettings(name="camera", modality="camera", topic="camera/image_raw"),
    StreamSettings(name="tactile_left", modality="tactile", topic="tactile_left/image_raw"),
    StreamSettings(name="tactile_right", modality="tactile", topic="tactile_right/image_raw"),
    # 0.1 s at 400 Hz: with 5 messages, a pause of 12 ms loses some.
    StreamSettings(name="imu", modality="imu", topic="imu/data_raw", depth=40),
    # Scans come five to ten times a second, and late: a set would wait for them far longer than
    # for all the rest.
    StreamSettings(
        name="lidar", modality="lidar", topic="lidar/points", tolerance_s=0.3, wait=False
    ),
)

GROUPS = {
    "sync": SyncSettings,
    "inference": InferenceSettings,
    "smoothing": SmoothingSettings,
    "output": OutputSettings,
    "language": LanguageSettings,
}
"""Settings that are there once, by the name of their group."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set about the data path.

    In YAML: the groups of `GROUPS`, and `streams`, a mapping from a stream's name to its settings.
    Naming `streams` replaces the default ones; a default stream that is named keeps its other
    defaults.
    """

    streams: tuple[StreamSettings, ...] = DEFAULT_STREAMS
    sync: SyncSettings = SyncSettings()
    inference: InferenceSettings = InferenceSettings()
    smoothing: SmoothingSettings = field(default_factory=SmoothingSettings)
    output: OutputSettings = OutputSettings()
    language: LanguageSettings = field(default_factory=LanguageSettings)

    def __post_init__(self) -> None:
        names = [s.name for s in self.streams]
        if not names:
            raise SettingsError(
                "no stream is named", where="streams", expected="at least one stream"
            )
        if len(set(names)) < len(names):
            raise SettingsError(
                "a stream is named twice", where="streams", expected="one entry per name"
            )
        if self.sync.anchor and self.sync.anchor not in names:
            raise SettingsError(
                f"no stream is named '{self.sync.anchor}'",
                where="sync.anchor",
                expected="one of " + ", ".join(names),
            )

    @property
    def anchor(self) -> StreamSettings:
        """The stream that sets the times."""
        if self.sync.anchor:
            return next(s for s in self.streams if s.name == self.sync.anchor)
        tactile = [s for s in self.streams if s.modality == Modality.TACTILE.value]
        return (tactile or list(self.streams))[0]

    def reading(self, names: Collection[str]) -> Settings:
        """These settings with only the streams of `names`, and the anchor where one is set.

        Names are what a bundle reads. Live and offline alike: a stream that no network reads would
        only delay the sets.

        Raises:
            SettingsError: none of `names` is a stream.
        """
        kept = tuple(s for s in self.streams if s.name in names or s.name == self.sync.anchor)
        if not any(s.name in names for s in kept):
            raise SettingsError(
                "no stream is one that the bundle reads",
                where="streams",
                expected="some of " + ", ".join(names),
            )
        return dataclasses.replace(self, streams=kept)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Settings:
        """Build from nested YAML; what is not named keeps its default.

        Raises:
            SettingsError: unknown group, stream setting or value.
        """
        for group in values:
            if group not in GROUPS and group != "streams":
                raise unknown("group", group, ["streams", *GROUPS], "settings")
        made: dict[str, Any] = {
            name: from_mapping(group, _named(values.get(name), name), name)
            for name, group in GROUPS.items()
        }
        streams = _named(values.get("streams"), "streams")
        if streams:
            made["streams"] = tuple(_stream(name, value) for name, value in streams.items())
        return cls(**made)

    def to_mapping(self) -> dict[str, Any]:
        """The complete nested form, which `from_mapping` reads; for writing beside results."""
        made: dict[str, Any] = {name: dataclasses.asdict(getattr(self, name)) for name in GROUPS}
        made["streams"] = {}
        for stream in self.streams:
            values = dataclasses.asdict(stream)
            made["streams"][values.pop("name")] = values
        return made


def _named(values: Any, where: str) -> Mapping[str, Any]:
    """The mapping at a place in nested YAML, where an empty place stands for no values."""
    if not isinstance(values or {}, Mapping):
        raise SettingsError(f"got {values!r}", where=where, expected="names and values")
    return values or {}


def _stream(name: str, value: Any) -> StreamSettings:
    values = _named(value, f"streams.{name}")
    default = next((s for s in DEFAULT_STREAMS if s.name == name), None)
    base = dataclasses.asdict(default) if default else {"name": name}
    if default is None and "modality" not in values:
        choices = ", ".join(m.value for m in Modality)
        raise SettingsError(
            "modality is not set", where=f"streams.{name}", expected=f"one of {choices}"
        )
    return from_mapping(StreamSettings, {**base, **values, "name": name}, f"streams.{name}")
