"""What every data set of inertial sensors is read as: tracks of samples with labels and parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.labels import Interval
from xmodal_ros.data.parts import of_part
from xmodal_ros.data.visual_tactile.example import Problem

ACCELERATION, ANGULAR_RATE, ORIENTATION = "acceleration", "angular_rate", "orientation"
"""Quantities. Acceleration is specific force: a sensor at rest reads 9.81 m/s² upwards.
Orientation is three angles about axes that a data set does not define further."""
UNITS = {ACCELERATION: "m/s^2", ANGULAR_RATE: "rad/s", ORIENTATION: "deg"}
AXES = ("x", "y", "z")


class Channel(NamedTuple):
    """One column of a track."""

    quantity: str
    axis: str

    @property
    def name(self) -> str:
        """Such as "acceleration_x"."""
        return f"{self.quantity}_{self.axis}"

    @property
    def unit(self) -> str:
        """Such as "m/s^2"."""
        return UNITS[self.quantity]


def channels(*quantities: str) -> tuple[Channel, ...]:
    """Three channels, x, y and z, of each quantity."""
    return tuple(Channel(quantity, axis) for quantity in quantities for axis in AXES)


@dataclass(frozen=True, eq=False, slots=True)
class Track:
    """The samples of one sensor in one session, as they were recorded.

    Raises:
        DataError: the arrays do not fit one another, there is no sample, or a value is not finite.
    """

    session: str
    """What was recorded at the same time; unique with device and channels."""
    subject: str
    """Whom it is of, or the recording's group: must not be in two parts."""
    device: str
    """Where the sensor is: "watch", "phone", or the stream of a robot."""
    part: str
    """Of the split; empty if the split does not name the subject."""
    times_ns: np.ndarray
    """`(N,) int64`, in the order of the samples; they may repeat or go back, see `problems`."""
    values: np.ndarray
    """`(N, C) float64`."""
    channels: tuple[Channel, ...]
    labels: tuple[Interval, ...]
    """What was done; not all times need have a label."""
    rate_hz: float
    """Declared by the data set; 0 where it declares none."""
    where: str
    """File, and array or topic in it."""

    def __post_init__(self) -> None:
        shape = (len(self.times_ns), len(self.channels))
        if not len(self.times_ns) or self.values.shape != shape:
            raise DataError(
                f"{len(self.times_ns)} stamps and values {self.values.shape}",
                where=self.where,
                expected=f"at least one stamp and values (stamps, {len(self.channels)})",
            )

        if not np.isfinite(self.values).all():
            raise DataError("a value is NaN or infinite", where=self.where, expected="numbers")

    def vector(self, quantity: str) -> np.ndarray | None:
        """Values of one quantity `(N, 3)`, None if the sensor does not measure it."""
        found = [k for k, channel in enumerate(self.channels) if channel.quantity == quantity]
        return self.values[:, found] if found else None

    @property
    def quantities(self) -> tuple[str, ...]:
        """What the sensor measures."""
        return tuple(dict.fromkeys(channel.quantity for channel in self.channels))

    @property
    def period_ns(self) -> int:
        """Median time between samples, those that share a stamp left out; 0 of a single one."""
        steps = np.diff(self.times_ns)
        steps = steps[steps > 0]
        return round(float(np.median(steps))) if len(steps) else 0


@dataclass(frozen=True, eq=False)
class Inertial:
    """A data set as it was read: what can be used, and why the rest cannot."""

    kind: str
    root: Path
    split: str
    tracks: tuple[Track, ...]
    classes: tuple[str, ...]
    """Names of the activities, in the data set's own order where it has one."""
    problems: tuple[Problem, ...] = ()
    """What was left out."""

    def part(self, name: str) -> tuple[Track, ...]:
        """Tracks of a part.

        Raises:
            DataError: there is no such part.
        """
        return of_part(self.tracks, name, self.root)


def by_session(tracks: Sequence[Track]) -> list[tuple[Track, ...]]:
    """Tracks that were recorded at the same time, together, in the order of the first ones."""
    found: dict[tuple[str, str], list[Track]] = {}
    for track in tracks:
        found.setdefault((track.subject, track.session), []).append(track)
    return [tuple(together) for together in found.values()]


def classes_of(tracks: Sequence[Track]) -> tuple[str, ...]:
    """Labels that occur, sorted."""
    return tuple(sorted({label for track in tracks for _, _, label in track.labels}))
