"""Simulated time against real time: never ahead of it, and for good behind where it must be.

At a rate of 2, "real time" here runs twice as fast as the clock on the wall.
"""

from __future__ import annotations

CATCH_UP_NS = 100_000_000
"""Delays up to this are made up for; more than that is lost, or sensors would come in bursts."""


class Pace:
    """Says when a simulated moment is due; both clocks are in nanoseconds since some start.

    Args:
        now_ns: Real time now, which is simulated time 0.
        rate: Simulated seconds per second, at most.
    """

    def __init__(self, now_ns: int, rate: float = 1.0) -> None:
        self._begin_ns, self._rate = now_ns, rate
        self._mark_ns = (0, now_ns)  # simulated and real time of the last `factor`
        self.lost_ns = 0
        """How far the simulated clock has fallen behind for good."""

    def wait_ns(self, time_ns: int, now_ns: int) -> int:
        """How long until simulated time `time_ns` is due; at most 0 when it is."""
        late_ns = now_ns - self._begin_ns - round(time_ns / self._rate)
        if late_ns > CATCH_UP_NS:
            self._begin_ns += late_ns - CATCH_UP_NS
            self.lost_ns += late_ns - CATCH_UP_NS
        return -late_ns

    def factor(self, time_ns: int, now_ns: int) -> float:
        """Simulated time per real time since the last call."""
        simulated_ns, real_ns = time_ns - self._mark_ns[0], now_ns - self._mark_ns[1]
        self._mark_ns = (time_ns, now_ns)
        return simulated_ns / max(real_ns, 1)
