"""What moves in a recording: of each stream, how much it changes from message to message.

Images and scans are reduced to a few numbers of the optical flow between one and the next, so that
a recording of minutes is a few kilobytes. Of scans only what is before the background takes part:
an arm is a few hundred points among thousands whose noise is as large as its motion. An IMU
measures motion itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.range_image import RangeView, to_range_image
from xmodal_ros.core.settings import Settings, StreamSettings
from xmodal_ros.core.types import Modality
from xmodal_ros.data.decode import decode
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import find_topics

WIDTH, HEIGHT = 96, 72
"""Pixels that flow is computed on: what moves as a whole is seen there as well."""
SCAN = RangeView(rows=64, columns=512)
NEAR_M = 1.0
"""Brightness of a scan falls by e with this distance: what is as near as an arm counts most."""
BEFORE_M = 0.15
"""So much nearer than the farthest that its direction ever showed, a point is on what moves."""
STEP_M = 0.1
"""A distance that changes by more from scan to scan is another thing, not motion."""


@dataclass(frozen=True, eq=False, slots=True)
class Motion:
    """The motion that one stream of a recording shows."""

    stream: str
    modality: Modality
    times_ns: np.ndarray
    """Stamps after the stream's offset, increasing. Shape: (N,) int64."""
    values: np.ndarray
    """Of an IMU its samples. Of others how each message differs from the one before, zeros in the
    first row: moments of the flow, its mean length, the change of brightness; of a LiDAR moments
    of the change of distance as well, which is no flow. Shape: (N, C)."""
    refused: int = 0
    """Messages that could not be decoded, or whose stamp is not after the one before."""

    @property
    def rate_hz(self) -> float:
        """Messages per second; 0 of a single one."""
        return 1e9 / float(np.median(np.diff(self.times_ns))) if len(self.times_ns) > 1 else 0.0


def read_motion(
    path: Path | str,
    settings: Settings,
    listener: Callable[[float, float], None] = lambda done_s, total_s: None,
) -> dict[str, Motion]:
    """Read the motion of each stream that is recorded, by name.

    Args:
        path: rosbag2 recording, sqlite3 or MCAP.
        settings: Name the streams and the offsets that are known already.
        listener: Called now and then with how much is read and how long the recording is, s.

    Raises:
        DataError: the recording cannot be read, or the anchor is not in it.
    """
    with Recording(path) as recording:
        topics = find_topics(recording, settings)
        readers = {s.name: _Reader(s) for s in settings.streams if s.name in topics}
        streams: dict[str, list[str]] = {}
        for stream, topic in topics.items():
            streams.setdefault(topic, []).append(stream)
        total_s = (recording.end_ns - recording.start_ns) / 1e9
        for topic, kind, log_ns, message in recording.messages(list(streams)):
            for stream in streams[topic]:
                readers[stream].message(message, kind, topic)
            listener((log_ns - recording.start_ns) / 1e9, total_s)
    return {name: reader.motion() for name, reader in readers.items() if reader.rows}


class _Reader:
    """Collects the motion of one stream."""

    def __init__(self, stream: StreamSettings) -> None:
        self._stream, self._modality = stream, Modality(stream.modality)
        self._offset_ns = round(1e9 * stream.offset_s)
        self._times: list[int] = []
        self.rows: list[np.ndarray] = []
        self._last: np.ndarray | None = None
        self._refused = 0

    def message(self, message: object, kind: str, topic: str) -> None:
        try:
            sample = decode(message, kind, self._modality, topic)
            seen = _SEEN[self._modality](sample.data)
        except DataError:
            self._refused += 1
            return
        if self._times and sample.stamp_ns + self._offset_ns <= self._times[-1]:
            self._refused += 1
            return
        self._times.append(sample.stamp_ns + self._offset_ns)
        is_image = self._modality in (Modality.CAMERA, Modality.TACTILE)
        self.rows.append(_change(self._last, seen) if is_image else seen)
        self._last = seen

    def motion(self) -> Motion:
        is_lidar = self._modality is Modality.LIDAR
        return Motion(
            self._stream.name,
            self._modality,
            np.array(self._times, np.int64),
            np.array(_changes(self.rows) if is_lidar else self.rows, np.float64),
            self._refused,
        )


def _image(image: np.ndarray) -> np.ndarray:
    """A small grey image."""
    if image.ndim != 3 or image.dtype != np.uint8:
        raise DataError("is no colour image", where="image", expected="8-bit RGB")
    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def _scan(points: np.ndarray) -> np.ndarray:
    """Distances of a scan, m, 0 where nothing was seen. Shape: (rows, columns) float16."""
    return np.linalg.norm(to_range_image(points, SCAN).image[..., :3], axis=2).astype(np.float16)


_SEEN: dict[Modality, Callable[[np.ndarray], np.ndarray]] = {
    Modality.CAMERA: _image,
    Modality.TACTILE: _image,
    Modality.LIDAR: _scan,
    Modality.IMU: np.asarray,
}
_FLOW = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
_FLOW.setFinestScale(1)  # of images this small a quarter, as preset, is too little


def _change(last: np.ndarray | None, image: np.ndarray) -> np.ndarray:
    """How an image differs from the last one. Shape: (9,)."""
    if last is None or last.shape != image.shape:
        return np.zeros(9)
    flow = _FLOW.calc(last, image, np.zeros((*image.shape, 2), np.float32))
    brighter = image.astype(np.float64) - last
    length = np.linalg.norm(flow, axis=2).mean()
    moments = [*_moments(flow[..., 0]), *_moments(flow[..., 1])]
    return np.array([*moments, length, abs(brighter).mean(), brighter.mean()])


def _moments(values: np.ndarray) -> list[float]:
    """Means of an image, and of it times x and y, -1 to 1."""
    rows, columns = values.shape
    y, x = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)
    return [float((values * by).mean()) for by in (1.0, x, y)]


def _changes(scans: Sequence[np.ndarray]) -> list[np.ndarray]:
    """How the foreground of each scan differs from the one before. Shape: (N, 12)."""
    images, changes = list(_foreground(scans)), [np.zeros(12)]
    for number in range(1, len(scans)):
        last, image = images[number - 1 : number + 1]
        both = (last > 0) & (image > 0)
        further = np.where(both, scans[number].astype(np.float64) - scans[number - 1], 0.0)
        further[abs(further) > STEP_M] = 0.0
        seen = max(both.mean(), 1 / both.size)
        changes.append(np.array([*_change(last, image), *np.divide(_moments(further), seen)]))
    return changes


def _foreground(scans: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Each scan as a grey image of what is before the background, the nearer the brighter."""
    farthest = np.max(scans, axis=0)
    for distance in scans:
        moves = (distance > 0) & (farthest - distance > BEFORE_M)
        yield np.where(moves, 255 * np.exp(-distance / NEAR_M), 0).astype(np.uint8)
