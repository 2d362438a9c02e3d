"""Small pictures of what each stream saw at a moment, for the report."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from xmodal_ros.core.types import Modality, Observation, Prediction, StreamData
from xmodal_ros.runtime.focus import Focus
from xmodal_ros.runtime.frames import Features

WIDTH_PX, HEIGHT_PX = 240, 180
LIDAR_RANGE_M = 30.0
IMU_COLORS = ("#c0392b", "#27ae60", "#2c6fbb")


@dataclass(frozen=True)
class Picture:
    """One stream at one moment: an inline image or drawing."""

    stream: str
    modality: Modality
    age_ms: float
    html: str
    answers: tuple[str, ...]
    """Heads that saw this stream's modality."""


@dataclass(frozen=True)
class Look:
    """What a head looked at in one stream at one moment, or what it said of each point."""

    what: str
    """Name of the head, or classes."""
    stream: str
    html: str


@dataclass(frozen=True)
class Moment:
    """All streams at one moment, and what was predicted from them."""

    stamp_ns: int
    pictures: tuple[Picture, ...]
    looks: tuple[Look, ...]
    prediction: Prediction
    missing: Mapping[str, str]


def moment(
    observation: Observation,
    prediction: Prediction,
    focus: Focus,
    encoded: Mapping[str, Features],
    drawn: Mapping[tuple[str, str], np.ndarray],
) -> Moment:
    """Draw one observation.

    Args:
        observation: What was seen.
        prediction: What was said of it.
        focus: Tells what the heads looked at.
        encoded: `Predictor.encoded` of the observation.
        drawn: More pictures of it, `(H, W, 3) uint8` RGB, by what they show and stream.
    """
    pictures = tuple(
        Picture(
            stream=name,
            modality=data.modality,
            age_ms=data.age_ns / 1e6,
            html=DRAWINGS[data.modality](data),
            answers=tuple(
                h for h, answer in prediction.heads.items() if answer.used & data.modality.bit
            ),
        )
        for name, data in observation.streams.items()
    )
    looks = tuple(
        Look(head, stream, _embed(image))
        for head, streams in focus.streams.items()
        if head in prediction.heads
        for stream, image in focus.overlays(head, streams, observation, encoded).items()
    ) + tuple(Look(what, stream, _embed(image)) for (what, stream), image in drawn.items())
    return Moment(prediction.stamp_ns, pictures, looks, prediction, dict(observation.missing))


def _image(data: StreamData) -> str:
    return _embed(data.data)


def _imu(data: StreamData) -> str:
    """Specific force above, angular rate below; x, y, z in red, green, blue."""
    parts = []
    for row, (name, block) in enumerate((("m/s²", data.data[:, :3]), ("rad/s", data.data[:, 3:]))):
        low, high = float(block.min()), float(block.max())
        middle, half = (low + high) / 2, max((high - low) / 2, 0.5)
        top = row * HEIGHT_PX / 2
        x = np.linspace(0, WIDTH_PX, len(block))
        y = top + HEIGHT_PX / 4 - (block - middle) / half * (HEIGHT_PX / 4 - 12)
        for axis, color in enumerate(IMU_COLORS):
            points = " ".join(f"{a:.0f},{b:.0f}" for a, b in zip(x, y[:, axis], strict=True))
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.3"/>'
            )
        scale = f"{middle - half:.1f} to {middle + half:.1f} {name}"
        parts.append(f'<text x="5" y="{top + 11:.0f}" font-size="10" fill="#667">{scale}</text>')
    return f'<svg viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" role="img">{"".join(parts)}</svg>'


def _lidar(data: StreamData) -> str:
    """From above, x to the top, y to the left, brighter = higher."""
    picture = np.full((HEIGHT_PX, WIDTH_PX), 18, np.uint8)
    points = data.data[np.argsort(data.data[:, 2])]
    scale = HEIGHT_PX / (2 * LIDAR_RANGE_M)
    row = (HEIGHT_PX / 2 - points[:, 0] * scale).astype(int)
    column = (WIDTH_PX / 2 - points[:, 1] * scale).astype(int)
    inside = (row >= 0) & (row < HEIGHT_PX) & (column >= 0) & (column < WIDTH_PX)
    height = np.clip((points[:, 2] + 2.5) / 5, 0, 1)
    picture[row[inside], column[inside]] = (70 + 185 * height[inside]).astype(np.uint8)
    return _embed(
        cv2.cvtColor(cv2.applyColorMap(picture, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    )


def _embed(rgb: np.ndarray) -> str:
    height, width = rgb.shape[:2]
    scale = min(WIDTH_PX / width, HEIGHT_PX / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    _, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80]
    )
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}">'


DRAWINGS: dict[Modality, Callable[[StreamData], str]] = {
    Modality.CAMERA: _image,
    Modality.TACTILE: _image,
    Modality.IMU: _imu,
    Modality.LIDAR: _lidar,
}
