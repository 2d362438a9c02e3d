"""Windows of a fixed length and rate out of tracks, with their activity and what is absent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.inertial.resample import Resampling, gaps, grid, increasing, resample
from xmodal_ros.data.inertial.track import (
    ACCELERATION,
    ANGULAR_RATE,
    ORIENTATION,
    Track,
    by_session,
)
from xmodal_ros.data.visual_tactile.recorded import Interval

PAUSE_S = 60.0
"""Time without a sample after which windows begin anew: no window lies in a night, or in the time
from a stamp of 0 to the first real one."""


class Slot(NamedTuple):
    """Three neighbouring channels of a window."""

    quantity: str
    device: str = ""
    """Of which device; empty for any, and then each device makes windows of its own."""

    def __str__(self) -> str:
        return f"{self.device} {self.quantity}".strip()


SIX = (Slot(ACCELERATION), Slot(ANGULAR_RATE))
"""Channels of a `sensor_msgs/msg/Imu`, in the order of `StreamData`."""
TWELVE = (
    Slot(ACCELERATION, "watch"),
    Slot(ACCELERATION, "phone"),
    Slot(ANGULAR_RATE, "phone"),
    Slot(ORIENTATION, "phone"),
)
"""Channels of arXiv 2308.16493 on MMAct."""


@dataclass(frozen=True)
class Windowing:
    """How windows are cut and labelled."""

    length_s: float = setting(1.0, "Length of a window.", unit="s", low=0.01, high=600.0)
    stride_s: float = setting(
        0.5, "Time from one window to the next.", unit="s", low=0.001, high=600.0
    )
    least_share: float = setting(
        2 / 3, "Share of a window that its activity fills at least.", low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        validate(self, "windowing")


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """A window of one session, or of one device of it."""

    session: str
    subject: str
    part: str
    start_ns: int
    end_ns: int
    """One period after the last value."""
    values: np.ndarray
    """`(T, 3 * slots) float32`, oldest first; 0 where a slot is absent, NaN within a gap."""
    present: np.ndarray
    """`(slots,) bool`."""
    label: str
    """Activity that fills `least_share`; empty if none does."""
    share: float
    """Of the commonest activity, which is 0 where nothing is labelled."""
    invalid: str = ""
    """Why the window must not be used; empty if it may."""


def cut(
    tracks: Iterable[Track],
    slots: Sequence[Slot] = SIX,
    windowing: Windowing | None = None,
    resampling: Resampling | None = None,
) -> list[Window]:
    """Cut windows out of tracks, session by session.

    A session's windows lie where all of its sensors have samples. A sensor that lacks, or has less
    than one window, is absent from them.

    Args:
        tracks: Any tracks of one data set.
        slots: What the channels of a window are.
        windowing: Length, stride and labels.
        resampling: Rate and limits.

    Raises:
        SettingsError: length or stride is no whole number of the grid's periods.
    """
    windowing, resampling = windowing or Windowing(), resampling or Resampling()
    length = _periods("length_s", windowing.length_s, resampling.rate_hz)
    stride = _periods("stride_s", windowing.stride_s, resampling.rate_hz)
    found: list[Window] = []
    for together in by_session(tuple(tracks)):
        for members in _by_device(together, slots):
            chosen = [_find(members, slot, windowing.length_s) for slot in slots]
            if any(chosen):
                found += _session(chosen, slots, length, stride, windowing, resampling)
    return found


def _periods(name: str, seconds: float, rate_hz: float) -> int:
    count = round(seconds * rate_hz)
    if count < 1 or abs(seconds * rate_hz - count) > 1e-6 * count:
        raise SettingsError(
            f"got {seconds} s",
            where=f"windowing.{name}",
            expected=f"a whole number of periods of {rate_hz} Hz",
        )
    return count


def _by_device(together: Sequence[Track], slots: Sequence[Slot]) -> list[list[Track]]:
    if any(slot.device for slot in slots):
        return [list(together)]
    devices = dict.fromkeys(track.device for track in together)
    return [[track for track in together if track.device == device] for device in devices]


def _find(tracks: Sequence[Track], slot: Slot, length_s: float) -> Track | None:
    """The track of a slot, None if the session has none or too little of it."""
    for track in tracks:
        if slot.quantity in track.quantities and slot.device in ("", track.device):
            return track if np.ptp(track.times_ns) + track.period_ns >= length_s * 1e9 else None
    return None


def _session(
    chosen: Sequence[Track | None],
    slots: Sequence[Slot],
    length: int,
    stride: int,
    windowing: Windowing,
    resampling: Resampling,
) -> list[Window]:
    """Windows of the tracks that were chosen for the slots, of which at least one is there.

    Length and stride are in periods of the grid.
    """
    present = np.array([track is not None for track in chosen])
    tracks = list(dict.fromkeys(track for track in chosen if track is not None))
    holes = [(track, gaps(track.times_ns, resampling.longest_gap_s)) for track in tracks]
    labels = next((track.labels for track in tracks if track.labels), ())
    made = []
    for first_ns, last_ns in _stretches(tracks):
        times_ns = grid(first_ns, last_ns, resampling.rate_hz)
        values = _values(chosen, slots, times_ns, resampling)
        for begin in range(0, len(times_ns) - length + 1, stride):
            start_ns = int(times_ns[begin])
            end_ns = start_ns + round(length * 1e9 / resampling.rate_hz)
            label, share = majority(labels, start_ns, end_ns)
            window = Window(
                session=tracks[0].session,
                subject=tracks[0].subject,
                part=tracks[0].part,
                start_ns=start_ns,
                end_ns=end_ns,
                values=values[begin : begin + length],
                present=present,
                label=label if share >= windowing.least_share else "",
                share=share,
                invalid=_gap_in(holes, start_ns, int(times_ns[begin + length - 1])),
            )
            made.append(window)
    return made


def _stretches(tracks: Sequence[Track]) -> list[tuple[int, int]]:
    """First and last time of each stretch in which all tracks have samples, between pauses."""
    used = [track.times_ns[increasing(track.times_ns)] for track in tracks]
    spans = [(max(int(times[0]) for times in used), min(int(times[-1]) for times in used))]
    for times in used:
        for begin, end in gaps(times, PAUSE_S).tolist():
            spans = [
                span
                for first, last in spans
                for span in ((first, min(last, begin)), (max(first, end), last))
                if span[0] < span[1]
            ]
    return spans


def _values(
    chosen: Sequence[Track | None],
    slots: Sequence[Slot],
    times_ns: np.ndarray,
    resampling: Resampling,
) -> np.ndarray:
    """Values of all slots at the times of a grid `(T, 3 * slots) float32`, 0 where absent."""
    tracks = dict.fromkeys(track for track in chosen if track is not None)
    columns = {track: resample(track, times_ns, resampling) for track in tracks}
    values = np.zeros((len(times_ns), 3 * len(slots)), np.float32)
    for k, (slot, track) in enumerate(zip(slots, chosen, strict=True)):
        if track is not None:
            of_slot = [c.quantity == slot.quantity for c in track.channels]
            values[:, 3 * k : 3 * k + 3] = columns[track][:, of_slot]
    return values


def majority(labels: Sequence[Interval], start_ns: int, end_ns: int) -> tuple[str, float]:
    """The label that fills most of a time, and its share of it; "" and 0 without any."""
    filled: dict[str, int] = {}
    for start, end, label in labels:
        common = min(end, end_ns) - max(start, start_ns)
        if common > 0:
            filled[label] = filled.get(label, 0) + common
    if not filled:
        return "", 0.0
    label = max(filled, key=lambda name: filled[name])
    return label, filled[label] / (end_ns - start_ns)


def _gap_in(holes: Sequence[tuple[Track, np.ndarray]], first_ns: int, last_ns: int) -> str:
    """Names the first gap that is within the times of a window's values."""
    for track, spans in holes:
        for begin, end in spans.tolist():
            if begin < last_ns and end > first_ns:
                after_s = (begin - int(track.times_ns.min())) / 1e9
                return (
                    f"{track.where}: gap of {(end - begin) / 1e9:.2f} s in {track.device} "
                    f"{' and '.join(track.quantities)}, {after_s:.2f} s after its start"
                )
    return ""
