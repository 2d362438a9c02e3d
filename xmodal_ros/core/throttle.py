"""Limits a rate by stamps, so that live and offline let the same observations through."""

from __future__ import annotations


class Throttle:
    """Lets the first stamp at or after each tick of a clock of `rate_hz` through.

    Ticks stay where the first stamp put them, so that the mean rate is the one asked for also
    where stamps jitter or where it is no divisor of their rate. Where time was set back, they
    begin anew.
    """

    def __init__(self) -> None:
        self._due_ns: int | None = None

    def admits(self, stamp_ns: int, rate_hz: float) -> bool:
        """Whether this stamp goes through.

        Args:
            stamp_ns: Stamps of one stream, in their order.
            rate_hz: Most stamps per second; 0 for all.
        """
        if not rate_hz:
            self._due_ns = None
            return True
        period_ns = round(1e9 / rate_hz)
        late_ns = 0 if self._due_ns is None else stamp_ns - self._due_ns
        if -period_ns <= late_ns < 0:
            return False
        self._due_ns = stamp_ns + period_ns - max(late_ns, 0) % period_ns
        return True
