"""Messages to observations: decode, synchronize, and count what cannot be decoded.

The live node in lock-step and the offline replay do the same here, message by message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.health import Health
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.sync import EventClock, Synchronizer
from xmodal_ros.core.types import Modality, Observation
from xmodal_ros.core.windows import Window
from xmodal_ros.data.decode import decode


class Ingest:
    """Takes messages of the settings' streams in the order of their arrival.

    Args:
        settings: Streams and synchronization.
        windows: How each stream is read; a stream without an entry gives its nearest message.
        refused: Called with a stream's name and why its message could not be decoded.
    """

    def __init__(
        self,
        settings: Settings,
        windows: Mapping[str, Window],
        refused: Callable[[str, DataError], None] | None = None,
    ) -> None:
        self._settings, self._refused = settings, refused
        self._streams = {
            s.name: (s.message_type, Modality(s.modality), s.topic or s.name)
            for s in settings.streams
        }
        self.synchronizer = Synchronizer(
            settings.streams, windows, settings.sync, settings.anchor.name
        )
        self._clock = EventClock(settings.sync)
        self.errors: dict[str, str] = {}
        """Why the last message of a stream that was refused could not be decoded."""
        self.dropped_points: dict[str, int] = {}
        """Points of a LiDAR stream that were NaN or infinite."""

    @property
    def health(self) -> Health:
        """Counters of the synchronizer, with the refused messages among them."""
        return self.synchronizer.health

    def message(self, stream: str, message: Any, now_ns: int | None = None) -> list[Observation]:
        """Take one message and return the observations that can leave now.

        Args:
            stream: Name of its stream.
            message: The message object.
            now_ns: The caller's clock; None for event time, the largest stamp so far.
        """
        kind, modality, topic = self._streams[stream]
        try:
            sample = decode(message, kind, modality, topic)
        except DataError as error:
            counts = self.health.streams[stream]
            counts.received += 1
            counts.last_arrival_ns = self._clock.now_ns if now_ns is None else now_ns
            counts.refused[error.what] += 1
            self.errors[stream] = str(error)
            if self._refused:
                self._refused(stream, error)
            return []
        if modality is Modality.LIDAR:
            dropped = message.width * message.height - len(sample.data)
            self.dropped_points[stream] = self.dropped_points.get(stream, 0) + dropped
        if now_ns is None:
            now_ns = self._clock.advance(stream, sample.stamp_ns)
        return self.synchronizer.push(stream, sample, now_ns)

    def flush(self) -> list[Observation]:
        """Return what still waits: no message will follow."""
        return self.synchronizer.flush()

    def clear(self) -> None:
        """Forget what is buffered, because the clock was set back."""
        self.synchronizer.clear()
        self._clock = EventClock(self._settings.sync)
