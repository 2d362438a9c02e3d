"""Windows of a fixed length and rate out of tracks, with their activity and what is absent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.windows import ENOUGH_NS, Resampled, offsets_ns, resample
from xmodal_ros.data.inertial.stamps import LONGEST_GAP_S, gaps, increasing
from xmodal_ros.data.inertial.track import (
    ACCELERATION,
    ANGULAR_RATE,
    ORIENTATION,
    Track,
    by_session,
)
from xmodal_ros.data.labels import Interval

ONE_SECOND = Resampled(50, 50.0, lowpass=True)
PAUSE_S = 60.0
"""Time without a sample after which windows begin anew: no window lies in a night, or in the time
from a stamp of 0 to the first real one."""
_PAUSE_NS = round(PAUSE_S * 1e9)


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
    """Where windows are cut, and how they are labelled."""

    stride_s: float = setting(
        0.5, "Time from one window to the next.", unit="s", low=0.001, high=600.0
    )
    label_s: float = setting(
        0.0,
        "Time before a window's end of which its activity is told; 0 for the whole window.",
        unit="s",
        low=0.0,
        high=600.0,
    )
    least_share: float = setting(
        2 / 3, "Share of that time that its activity fills at least.", low=0.0, high=1.0
    )
    longest_gap_s: float = setting(
        LONGEST_GAP_S,
        "Longest time without a sample that is interpolated; a window with a longer one is "
        "invalid.",
        unit="s",
        low=0.001,
        high=10.0,
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
    """One period after the last value, for which that value stands."""
    values: np.ndarray
    """`(T, 3 * slots) float32`, oldest first; 0 where a slot is absent, NaN if it is invalid."""
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
    window: Resampled = ONE_SECOND,
    slots: Sequence[Slot] = SIX,
    windowing: Windowing | None = None,
) -> list[Window]:
    """Cut windows out of tracks, session by session, each as a node would have read it then.

    A session's windows lie where all of its sensors have samples. As in a node, the first of a
    session ends when a second of it (or the whole window) is real, and its first value is held
    backwards. A sensor that lacks, or has less than that, is absent.

    Args:
        tracks: Any tracks of one data set.
        window: What a window reads before its last time, such as `ImuSettings.window`.
        slots: What the channels of a window are.
        windowing: Stride, labels and limits.
    """
    windowing = windowing or Windowing()
    found: list[Window] = []
    for together in by_session(tuple(tracks)):
        for members in _by_device(together, slots):
            chosen = [_find(members, slot, window) for slot in slots]
            if any(chosen):
                found += _session(chosen, slots, window, windowing)
    return found


def _by_device(together: Sequence[Track], slots: Sequence[Slot]) -> list[list[Track]]:
    if any(slot.device for slot in slots):
        return [list(together)]
    devices = dict.fromkeys(track.device for track in together)
    return [[track for track in together if track.device == device] for device in devices]


def _find(tracks: Sequence[Track], slot: Slot, window: Resampled) -> Track | None:
    """The track of a slot, None if the session has none or too little of it."""
    for track in tracks:
        if slot.quantity in track.quantities and slot.device in ("", track.device):
            least_ns = min(window.samples / window.rate_hz * 1e9, ENOUGH_NS)
            return track if np.ptp(track.times_ns) + track.period_ns >= least_ns else None
    return None


def _session(
    chosen: Sequence[Track | None],
    slots: Sequence[Slot],
    window: Resampled,
    windowing: Windowing,
) -> Iterator[Window]:
    """Windows of the tracks that were chosen for the slots, of which at least one is there."""
    present = np.array([track is not None for track in chosen])
    tracks = list(dict.fromkeys(track for track in chosen if track is not None))
    sensors = [_Sensor(track, chosen, slots, window) for track in tracks]
    holes = [(track, gaps(track.times_ns, windowing.longest_gap_s)) for track in tracks]
    labels = next((track.labels for track in tracks if track.labels), ())
    reach_ns, period_ns = int(offsets_ns(window)[0]), round(1e9 / window.rate_hz)
    stride_ns, label_ns = round(windowing.stride_s * 1e9), round(windowing.label_s * 1e9)
    for first_ns, last_ns in _stretches(sensors):
        for anchor_ns in range(first_ns + min(-reach_ns, ENOUGH_NS), last_ns + 1, stride_ns):
            start_ns, end_ns = anchor_ns + reach_ns, anchor_ns + period_ns
            told_ns = end_ns - label_ns if label_ns else start_ns
            label, share = majority(labels, told_ns, end_ns)
            invalid = _gap_in(holes, max(start_ns, first_ns), anchor_ns)
            values = np.zeros((window.samples, 3 * len(slots)), np.float32)
            for sensor in sensors:
                values[:, sensor.columns] = np.nan if invalid else sensor.read(anchor_ns)
            yield Window(
                session=tracks[0].session,
                subject=tracks[0].subject,
                part=tracks[0].part,
                start_ns=start_ns,
                end_ns=end_ns,
                values=values,
                present=present,
                label=label if share >= windowing.least_share else "",
                share=share,
                invalid=invalid,
            )


class _Sensor:
    """The used samples of a track, read as the synchronizer reads its buffer."""

    def __init__(
        self,
        track: Track,
        chosen: Sequence[Track | None],
        slots: Sequence[Slot],
        window: Resampled,
    ) -> None:
        kept = increasing(track.times_ns)
        self.times_ns = track.times_ns[kept]
        pauses = np.diff(self.times_ns, prepend=self.times_ns[0] - _PAUSE_NS - 1) > _PAUSE_NS
        self._begins = np.flatnonzero(pauses)
        self._values = np.ascontiguousarray(track.values[kept].T, np.float32)  # (C, N)
        self._window, self._offsets = window, offsets_ns(window)
        quantities = [channel.quantity for channel in track.channels]
        places = [k for k, other in enumerate(chosen) if other is track]
        self._order = [
            c for k in places for c, q in enumerate(quantities) if q == slots[k].quantity
        ]
        self.columns = [3 * k + axis for k in places for axis in range(3)]

    def read(self, anchor_ns: int) -> np.ndarray:
        """What the window before an anchor has in `columns`: `(T, len(columns))`."""
        first = self.times_ns.searchsorted(anchor_ns + self._offsets[0], side="right") - 1
        last = self.times_ns.searchsorted(anchor_ns)
        first = max(first, self._begins[self._begins.searchsorted(last, side="right") - 1])
        times_ns = self.times_ns[first : last + 1] - anchor_ns
        values = self._values[:, first : last + 1]
        return resample(self._window, self._offsets, times_ns, values)[:, self._order]


def _stretches(sensors: Sequence[_Sensor]) -> list[tuple[int, int]]:
    """First and last time of each stretch in which all sensors have samples, between pauses."""
    used = [sensor.times_ns for sensor in sensors]
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
