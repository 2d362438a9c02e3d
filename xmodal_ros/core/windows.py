"""How a stream is read at the anchor's time: nearest message, clip of images, or resampled window.

A reader returns what it found and the distance of the newest message used, or the reason why
there is nothing. Nearest means the smallest distance to the target; of two equally near messages
the earlier one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.buffer import Buffer, Columns
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.resample import MOST_SAMPLES, interpolate, lowpass
from xmodal_ros.core.types import IMU_VALUES, Modality

SKEW = "skew"
"""Messages exist, but none within tolerance of the anchor."""
GAP = "gap"
"""The stream came back from a hole too short a time ago."""
HISTORY = "history"
"""The stream began too short a time ago."""
ENOUGH_NS = 1_000_000_000
"""How much of a resampled window must have been measured; the rest is held."""


@dataclass(frozen=True)
class Nearest:
    """The one message nearest to the anchor."""


@dataclass(frozen=True)
class Clip:
    """`frames` images, each the nearest message to `anchor - k * spacing_s`, oldest first.

    An image that has no message within tolerance repeats the image after it. So predictions start
    with the first message of a stream, and a stream that returns does not mix old images with new
    ones.
    """

    frames: int
    spacing_s: float

    def __post_init__(self) -> None:
        if self.frames < 1 or not self.spacing_s > 0:
            raise SettingsError(
                f"got {self}", where="window", expected="frames >= 1 and spacing_s > 0"
            )


@dataclass(frozen=True)
class Resampled:
    """`samples` values on a grid of `rate_hz` that ends at the anchor.

    They are interpolated linearly; with `lowpass`, what the grid cannot hold is taken away first,
    see `core.resample`; no other samples are read for it.

    Two neighbouring messages further apart than twice the stream's tolerance are a hole, and what
    is older is not used. Where a stream began, or came back from a hole, within the window, its
    first value is held backwards, provided that `ENOUGH_NS` (or the whole window) is real. Where
    the deadline passes before a message at or after the anchor has come, the last value is held
    for at most the tolerance.
    """

    samples: int
    rate_hz: float
    lowpass: bool = False

    def __post_init__(self) -> None:
        if self.samples < 1 or not self.rate_hz > 0:
            raise SettingsError(
                f"got {self}", where="window", expected="samples >= 1 and rate_hz > 0"
            )
        if self.lowpass and self.samples > MOST_SAMPLES:
            raise SettingsError(
                f"got {self}", where="window", expected=f"samples <= {MOST_SAMPLES} with lowpass"
            )


Window = Nearest | Clip | Resampled

FITTING: dict[Modality, tuple[type, ...]] = {
    Modality.CAMERA: (Nearest,),
    Modality.TACTILE: (Nearest, Clip),
    Modality.IMU: (Nearest, Resampled),
    Modality.LIDAR: (Nearest,),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a window found: data, stamps of the messages used, distance of the newest one."""

    data: np.ndarray
    stamps_ns: tuple[int, ...]
    distance_ns: int
    """Newest message used minus anchor, both after their offsets."""
    frame_id: str
    """Of the newest message."""
    frames: tuple[np.ndarray, ...] = ()
    """Of a clip, its images."""


def check_window(window: Window, modality: Modality, stream: str) -> None:
    """Refuse a window that does not fit the modality.

    Raises:
        SettingsError: names the stream and the windows that fit.
    """
    if not isinstance(window, FITTING[modality]):
        fitting = " or ".join(kind.__name__ for kind in FITTING[modality])
        raise SettingsError(
            f"{type(window).__name__} does not fit {modality.value}",
            where=f"windows.{stream}",
            expected=fitting,
        )


def offsets_ns(window: Window) -> np.ndarray:
    """Times the window asks for, relative to the anchor, oldest first: `(T,) int64`."""
    if isinstance(window, Clip):
        steps, spacing_ns = window.frames, window.spacing_s * 1e9
    elif isinstance(window, Resampled):
        steps, spacing_ns = window.samples, 1e9 / window.rate_hz
    else:
        steps, spacing_ns = 1, 0.0
    offsets: np.ndarray = np.rint(np.arange(1 - steps, 1) * spacing_ns).astype(np.int64)
    return offsets


def make_buffer(window: Window, max_messages: int, max_bytes: int) -> Buffer:
    """The buffer that `read` needs for a window."""
    columns = Columns(IMU_VALUES) if isinstance(window, Resampled) else None
    return Buffer(max_messages, max_bytes, columns)


def read(
    window: Window, offsets: np.ndarray, buffer: Buffer, time_ns: int, tolerance_ns: int
) -> Reading | str:
    """Read a buffer at an anchor's time.

    Args:
        window: What to read.
        offsets: `offsets_ns(window)`, computed once.
        buffer: The stream's messages, in a buffer of `make_buffer`.
        time_ns: The anchor's time, after its offset.
        tolerance_ns: Largest distance at which a message matches.

    Returns:
        The reading, or one of `SKEW`, `GAP`, `HISTORY`.
    """
    if isinstance(window, Resampled):
        return _resample(window, offsets, buffer, time_ns, tolerance_ns)
    index = buffer.nearest(time_ns)
    if index < 0 or abs(buffer.times_ns[index] - time_ns) > tolerance_ns:
        return SKEW
    distance_ns = buffer.times_ns[index] - time_ns
    sample = buffer.samples[index]
    if isinstance(window, Nearest):
        return Reading(sample.data, (sample.stamp_ns,), distance_ns, sample.frame_id)
    found = [sample]
    for offset in reversed(offsets[:-1].tolist()):
        index = buffer.nearest(time_ns + offset)
        candidate = buffer.samples[index]
        near = abs(buffer.times_ns[index] - time_ns - offset) <= tolerance_ns
        # A camera whose resolution was changed starts its clip anew.
        found.append(
            candidate if near and candidate.data.shape == sample.data.shape else found[-1]
        )
    found.reverse()
    stamps, frames = tuple(s.stamp_ns for s in found), tuple(s.data for s in found)
    return Reading(sample.data, stamps, distance_ns, sample.frame_id, frames)


def resample(
    window: Resampled, offsets: np.ndarray, times_ns: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """The content of a resampled window, live and cut from a recording.

    Args:
        window: What to read.
        offsets: `offsets_ns(window)`, computed once.
        times_ns: Of the samples, relative to the anchor, increasing. Shape: (M,) int64, from the
            last one at or before the window's first time to the first at or after the anchor.
        values: Shape: (C, M) float32.

    Returns:
        Shape: (T, C) float32.
    """
    if times_ns.size == 1:
        data = np.repeat(values, offsets.size, axis=1)
    elif window.lowpass:
        data = lowpass(times_ns, values, window.samples, 1e9 / window.rate_hz)
    else:
        data = interpolate(times_ns, values, offsets)
    return data.T.astype(np.float32, order="C")  # (C, T) -> (T, C)


def _resample(
    window: Resampled, offsets: np.ndarray, buffer: Buffer, time_ns: int, tolerance_ns: int
) -> Reading | str:
    assert buffer.columns
    first, last = buffer.around(time_ns + int(offsets[0]), time_ns)
    if last < 0 or time_ns - buffer.times_ns[last] > tolerance_ns:
        return SKEW
    times = np.frombuffer(buffer.times_ns, np.int64)[first : last + 1] - time_ns
    holes = np.flatnonzero(np.diff(times) > 2 * tolerance_ns)
    begin = int(holes[-1]) + 1 if holes.size else 0
    if times[begin] > max(int(offsets[0]), -ENOUGH_NS):
        return GAP if begin else HISTORY
    values = buffer.columns.values[:, first + begin : last + 1]  # (6, M)
    newest = buffer.samples[last]
    stamps = (buffer.samples[first + begin].stamp_ns, newest.stamp_ns)
    data = resample(window, offsets, times[begin:], values)
    return Reading(data, stamps, buffer.times_ns[last] - time_ns, newest.frame_id)
