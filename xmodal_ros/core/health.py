"""What the synchronizer counts: what came, what was wrong with it, and why sets were not formed.

Pure data and pure functions; time is an argument. The ROS diagnostics and the offline report are
made from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

ZERO_STAMP = "stamp is 0"
FUTURE_STAMP = "stamp in the future"
DUPLICATE = "duplicate stamp"
OVERFLOW = "buffer full"
LATE = "older than the last set"
ABSENT = "absent"
"""Reason of a set that lacks a stream: it has been silent. Others are in `windows`."""
REFUSED = "refused"
"""Reason of a set that lacks a stream: messages come, but none has been usable for long."""

OTHER_ANCHOR = "if there is none, leave it out of 'streams' or name another in 'sync.anchor'"
"""What to do where the anchor is a sensor that the robot does not have."""


@dataclass
class StreamHealth:
    """Counters of one stream; times are 0 until its first message."""

    received: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Messages not used, by reason: `ZERO_STAMP`, `FUTURE_STAMP`, `DUPLICATE`, or a decoder's."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Messages lost from the buffer (`OVERFLOW`) or, of the anchor, without a set (`LATE`)."""
    out_of_order: int = 0
    """Messages that came after a newer one; they are used."""
    jumps_back: int = 0
    """Stamps so far before the last one that everything was cleared."""
    missing: Counter[str] = field(default_factory=Counter)
    """Anchors for which this stream had nothing, by reason."""
    last_stamp_ns: int = 0
    last_arrival_ns: int = 0
    """Clock when the last message came, a refused one too; 0 after the clock was set back."""
    delay_ns: int = 0
    """Clock minus stamp at the last message accepted: transport, or stamps of another clock."""
    interval_ns: float = 0.0
    """Running mean of the distance between stamps."""
    skew_ns: int = 0
    """Nearest message minus anchor at the last set, after offsets; also where out of tolerance."""

    @property
    def rate_hz(self) -> float:
        """Messages per second by their stamps; 0 before the second message."""
        return 1e9 / self.interval_ns if self.interval_ns else 0.0

    def took(self, stamp_ns: int, now_ns: int) -> None:
        """Note the times of a message that was accepted in order."""
        if self.last_stamp_ns:
            step = stamp_ns - self.last_stamp_ns
            # A tenth of each new interval: about the last twenty messages count.
            self.interval_ns += 0.1 * (step - self.interval_ns) if self.interval_ns else step
        self.last_stamp_ns, self.delay_ns = stamp_ns, now_ns - stamp_ns


@dataclass
class Health:
    """Counters of a synchronizer."""

    streams: dict[str, StreamHealth]
    formed: int = 0
    """Sets that left, partial ones among them."""
    partial: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Anchors without a set, by (required stream that was missing, reason)."""
    last_formed_ns: int = 0
    """Stamp of the last set."""

    @property
    def clock_resets(self) -> int:
        """How often a stamp jumped back and everything was cleared."""
        return sum(stream.jumps_back for stream in self.streams.values())
