"""When each sensor takes its data, and which stamp it puts on it.

A real sensor has a clock of its own: its period is slightly off, single moments jitter, its stamps
are wrong by a constant that nobody knows, and now and then a message is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.declare import setting, validate


@dataclass(frozen=True)
class ClockSettings:
    """Rate and errors of one kind of sensor."""

    rate_hz: float = setting(30.0, "messages per second", unit="Hz", low=0.1, high=2000.0)
    rate_error: float = setting(
        1e-4, "standard deviation of the rate's relative error", low=0.0, high=0.1
    )
    offset_s: float = setting(
        0.004,
        "standard deviation of the constant error of the stamps",
        unit="s",
        low=0.0,
        high=1.0,
    )
    jitter_s: float = setting(
        0.0005, "standard deviation of single moments", unit="s", low=0.0, high=0.1
    )
    drops: float = setting(0.002, "share of messages that are lost", low=0.0, high=1.0)

    def __post_init__(self) -> None:
        validate(self, "clock")


class Clock:
    """The moments of one sensor, in order.

    `due_ns` is the true time of the next sample that is not lost.
    """

    def __init__(self, settings: ClockSettings, rng: np.random.Generator) -> None:
        self._settings, self._rng = settings, rng
        self._period_ns = 1e9 / settings.rate_hz / (1.0 + settings.rate_error * rng.normal())
        self._next_ns = rng.uniform(0.0, self._period_ns)
        self.offset_ns = round(1e9 * settings.offset_s * rng.normal())
        self.due_ns = 0
        self.advance()

    @property
    def stamp_ns(self) -> int:
        """What the message that is due will say."""
        return self.due_ns + self.offset_ns

    def advance(self) -> None:
        """Go on to the next moment; moments stay in order however large the jitter."""
        lost = True
        while lost:
            jitter_ns = 1e9 * self._settings.jitter_s * self._rng.normal()
            self.due_ns = max(self.due_ns + 1, round(self._next_ns + jitter_ns))
            self._next_ns += self._period_ns
            lost = self._rng.random() < self._settings.drops
