"""What flows through the data path: samples in, observations between, predictions out.

Time is integer nanoseconds, units are SI, arrays carry no batch axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np


class Modality(str, Enum):
    """A kind of sensor; `bit` is its place in the masks of `PredictionInfo`."""

    CAMERA = "camera"
    TACTILE = "tactile"
    IMU = "imu"
    LIDAR = "lidar"

    @property
    def bit(self) -> int:
        """1 for camera, 2 for tactile, 4 for IMU, 8 for LiDAR."""
        return 1 << list(Modality).index(self)


IMU_VALUES = 6
"""Specific force in m/s², then angular rate in rad/s, along x, y, z each."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One decoded message of one stream.

    `data` by modality: camera and tactile `(H, W, 3) uint8` RGB; depth and other one-channel
    images `(H, W)` in their own dtype; IMU `(6,) float32`, specific force in m/s² then angular
    rate in rad/s; LiDAR `(N, 4) float32`, x, y, z in metres and intensity in [0, 1].
    """

    stamp_ns: int
    frame_id: str
    data: np.ndarray


@dataclass(frozen=True, slots=True)
class StreamData:
    """What one stream gave to an observation.

    `data` by modality: camera `(H, W, 3) uint8` RGB; tactile the newest image of the clip,
    `(H, W, 3) uint8` RGB; IMU `(T, 6) float32` at the window's fixed rate, oldest first; LiDAR
    `(N, 4) float32`.
    """

    modality: Modality
    data: np.ndarray
    stamps_ns: tuple[int, ...]
    """Stamps of the messages used: one, `T` of a tactile clip, first and last of an IMU window."""
    age_ns: int
    """Anchor stamp minus the stamp of the newest message used, after the stream's offset."""
    frames: tuple[np.ndarray, ...] = ()
    """Images of a tactile clip, `T` of `(H, W, 3) uint8` RGB, oldest first.

    They are the messages' own arrays, shared by the clips that contain them: stacking a clip costs
    more than the rest of the data path.
    """
    reference: np.ndarray | None = None
    """No-contact image `(H, W, 3) uint8` of a tactile sensor, where one is known."""
    reference_id: int = 0
    """Changes whenever `reference` does, so that what was computed from it can be kept."""
    frame_id: str = ""
    """Of the newest message used."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What all streams saw at the anchor's time."""

    stamp_ns: int
    frame_id: str
    anchor: str
    streams: Mapping[str, StreamData]
    missing: Mapping[str, str] = field(default_factory=dict)
    """Optional streams that gave nothing, with the reason."""

    @property
    def present(self) -> tuple[str, ...]:
        """Names of the streams that gave data."""
        return tuple(self.streams)

    @property
    def age_ns(self) -> dict[str, int]:
        """Age of each present stream's newest message at the anchor's stamp."""
        return {name: stream.age_ns for name, stream in self.streams.items()}

    @property
    def modalities(self) -> int:
        """Bit mask of the modalities present."""
        mask = 0
        for stream in self.streams.values():
            mask |= stream.modality.bit
        return mask


@dataclass(frozen=True, slots=True)
class OverTime:
    """What is known of an answer from those before it; see `core.smoothing`."""

    raw: np.ndarray
    """`(C,) float32`, calibrated probabilities of this observation alone."""
    since_ns: int
    """Stamp of the observation with which the current class began to lead."""
    previous: str
    """Label of the class before; empty where none is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """How the classes of a head follow one another, and how much its answers tell."""

    rates: np.ndarray
    """`(C, C) float64`, how often per second a class (row) gives way to another (column), counted
    while it lasts; 0 on the diagonal."""
    evidence_s: float
    """Time in which answers count as one, since windows of close ones overlap."""


@dataclass(frozen=True, slots=True)
class HeadPrediction:
    """The answer of one head: class probabilities after calibration.

    `task` is "material", "activity" or "grasp". A grasp head's labels are ("fail", "success").
    """

    task: str
    labels: tuple[str, ...]
    probabilities: np.ndarray
    """`(C,) float32`, sums to 1."""
    class_id: int
    entropy: float
    """Of `probabilities`, in nats."""
    abstained: bool
    """True when the confidence is below the bundle's threshold for this head."""
    used: int
    """Bit mask of the modalities this head saw."""
    expected: int
    """Bit mask of the modalities this head was trained for."""
    threshold: float = 0.5
    """Decision threshold of a two-class head on the probability of class 1."""
    ood_score: float = float("nan")
    """Distance of the embedding from the training data, 1 = the training set's 99th percentile."""
    abstain_below: float = 0.0
    """Confidence under which the head abstains."""
    order: Order | None = None
    """How its classes follow one another, where the bundle has learned it."""
    over_time: OverTime | None = None
    """Set where `probabilities` are filtered over time."""
    feature: np.ndarray | None = None
    """What the head's classifier read, `(d,) float32`; None where nothing tells."""

    @property
    def label(self) -> str:
        """Label of the winning class."""
        return self.labels[self.class_id]

    @property
    def confidence(self) -> float:
        """Probability of the winning class."""
        return float(self.probabilities[self.class_id])


@dataclass(frozen=True, slots=True)
class Prediction:
    """All heads' answers for one observation."""

    stamp_ns: int
    frame_id: str
    heads: Mapping[str, HeadPrediction]
    age_ns: Mapping[str, int]
    embeddings: Mapping[str, np.ndarray]
    """Unit-length embedding `(d,) float32` per stream present, in the shared space."""
    model_id: str
    weights_hash: str
    preprocess_ns: int = 0
    inference_ns: int = 0
    ood: Mapping[str, float] = field(default_factory=dict)
    """Distance of what each stream gave from the training data, 1 = the training set's 99th
    percentile; streams of which that is not known are absent."""
