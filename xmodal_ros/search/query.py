"""What is searched for, as an embedding: words, an image, a touch, or a moment of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import BundleError, DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.types import Modality, Observation, StreamData
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import TEXT
from xmodal_ros.runtime.predictor import Predictor
from xmodal_ros.search.pictures import picture

NEAR_S = 1.0
"""Largest distance of a moment from the one that was asked for."""


@dataclass(frozen=True)
class Query:
    """What a stream sensed, or words, embedded."""

    stream: str
    """Or `TEXT`."""
    vector: np.ndarray
    """Unit length. Shape: (d,), float32."""
    picture: bytes
    """JPEG of what cameras and gels saw, empty where there are none."""

    @property
    def asked(self) -> str:
        """As tables and pages name it."""
        return "these words" if self.stream == TEXT else f"this '{self.stream}'"


def of_image(predictor: Predictor, path: Path, modality: Modality, stream: str = "") -> Query:
    """Embed an image of any size; a grey one has three equal colours.

    Args:
        predictor: Of the bundle.
        path: Image file that OpenCV reads.
        modality: Camera or tactile.
        stream: Whose image it is; may be empty where all streams of the modality share a branch.

    Raises:
        DataError: the file is no image, or the bundle cannot tell a touch from one image.
        BundleError: the bundle does not read such a stream, or several kinds of them.
    """
    name = _stream(predictor.bundle, modality, stream)
    if not path.is_file():
        raise DataError("there is no such file", where=str(path))
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError("cannot be read as an image", where=str(path), expected="JPEG, PNG, ...")
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    data = StreamData(modality, image, (0,), 0)
    if modality is Modality.TACTILE:
        if predictor.differences[name] == "previous":
            raise DataError(
                f"bundle '{predictor.bundle.id}' reads how images of '{name}' change",
                where=str(path),
                expected="more than one image",
                do="Ask by a moment of a recording: --like RECORDING@SECONDS",
            )
        frames = predictor.inputs[name].frames
        data = StreamData(modality, image, (0,) * frames, 0, (image,) * frames)
    return _query(predictor, Observation(0, "", name, {name: data}), name)


def of_moment(
    predictor: Predictor, settings: Settings, recording: Path, seconds: float, stream: str = ""
) -> Query:
    """Embed what a stream of a recording sensed.

    Args:
        predictor: Of the bundle.
        settings: Streams of the recording.
        recording: rosbag2 recording, sqlite3 or MCAP.
        seconds: Time since its first message, as all pages and tables here have it.
        stream: Empty for the first one of the bundle that is there.

    Raises:
        DataError: the recording cannot be read, is shorter, has nothing there, or not the stream.
        BundleError: the bundle does not read such a stream.
    """
    bundle = predictor.bundle
    if stream:
        _require(bundle, stream, list(bundle.inputs))
    used, windows = bundle.fit(settings)
    with Recording(recording) as source:
        length_s = (source.end_ns - source.start_ns) / 1e9
        if not 0 <= seconds <= length_s:
            raise DataError(
                f"{seconds:g} s is outside of the recording",
                where=str(recording),
                expected=f"0 to {length_s:.1f} s",
            )
        wanted_ns, nearest = source.start_ns + round(seconds * 1e9), None
        for observation in observations(source, used, windows):
            distance_ns = abs(observation.stamp_ns - wanted_ns)
            if nearest is not None and distance_ns >= abs(nearest.stamp_ns - wanted_ns):
                break
            nearest = observation
    if nearest is None or abs(nearest.stamp_ns - wanted_ns) > NEAR_S * 1e9:
        raise DataError(f"has no set within {NEAR_S:g} s of {seconds:g} s", where=str(recording))
    return _query(predictor, nearest, stream)


def of_text(bundle: Bundle, text: str) -> Query:
    """Embed words.

    Raises:
        BundleError: the bundle has no text encoder, or was trained with another one.
        DeviceError: the text encoder is not installed.
    """
    return Query(TEXT, bundle.text_space()([text])[0], b"")


def _query(predictor: Predictor, observation: Observation, stream: str) -> Query:
    found = predictor.predict(observation).embeddings
    name = stream or next(iter(found), "")
    if name not in found:
        reason = observation.missing.get(name, "not recorded")
        raise DataError(
            f"has nothing at that moment ({reason})",
            where=name or "the bundle's streams",
            expected="one of " + (", ".join(found) or "some other moment"),
        )
    return Query(name, found[name], picture(observation, found))


def _stream(bundle: Bundle, modality: Modality, stream: str) -> str:
    names = [name for name, spec in bundle.inputs.items() if spec.modality is modality]
    if stream or not names:
        _require(bundle, stream or f"of modality {modality.value}", names)
        return stream
    if len({bundle.spec.streams[name] for name in names}) > 1:
        raise BundleError(
            f"reads several kinds of {modality.value}",
            where=bundle.id,
            expected="--stream with one of " + ", ".join(names),
        )
    return names[0]


def _require(bundle: Bundle, stream: str, names: list[str]) -> None:
    if stream not in names:
        raise BundleError(
            f"reads no stream '{stream}'",
            where=bundle.id,
            expected="one of " + (", ".join(names or bundle.inputs)),
        )
