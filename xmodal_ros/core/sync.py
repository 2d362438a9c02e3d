"""Aligns streams in time: one observation per anchor message, with the best match of each stream.

A set leaves as soon as no later message can improve it, which is when every stream it waits for
has a message at or after the anchor's time; or at the anchor's deadline. Sets leave in the order
of their anchors. What leaves, and when, follows from the pushed messages and the given times
alone; while all streams are waited for, what is in it does not depend on how their messages
interleave.

An optional stream that has been silent for `ABSENT_TIMEOUTS` timeouts by the stamps (a stream
never heard: since the first message of any) is not waited for, so that a dead sensor does not
delay every set to its deadline. It is used and waited for again with its next message.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence

from xmodal_ros.core import health as reasons
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.health import Health, StreamHealth
from xmodal_ros.core.reference import ReferenceEstimator
from xmodal_ros.core.settings import StreamSettings, SyncSettings
from xmodal_ros.core.types import Modality, Observation, Sample, StreamData
from xmodal_ros.core.windows import (
    SKEW,
    Nearest,
    Window,
    check_window,
    make_buffer,
    offsets_ns,
    read,
)

ABSENT_TIMEOUTS = 10


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


class _Stream:
    """One stream's settings in nanoseconds, its messages and its counters."""

    def __init__(self, settings: StreamSettings, window: Window, sync: SyncSettings) -> None:
        self.name, self.required = settings.name, settings.required
        self.modality = Modality(settings.modality)
        check_window(window, self.modality, self.name)
        self.window, self.offsets = window, offsets_ns(window)
        self.reach_ns = int(self.offsets[0])
        self.offset_ns = _ns(settings.offset_s)
        self.tolerance_ns = _ns(settings.tolerance_s)
        self.buffer = make_buffer(window, sync.max_messages, _ns(sync.max_megabytes * 1e-3))
        self.newest_ns: int | None = None
        self.health = StreamHealth()
        self.reference = ReferenceEstimator() if self.modality is Modality.TACTILE else None


class Synchronizer:
    """Puts the messages of several streams together into observations.

    Args:
        streams: Settings of the streams.
        windows: How each stream is read; a stream that is not named is `Nearest`.
        settings: Timeout and bounds.
        anchor: Name of the stream that sets the times.

    Raises:
        SettingsError: `anchor` or a window names no stream, or a window does not fit its modality.
    """

    def __init__(
        self,
        streams: Sequence[StreamSettings],
        windows: Mapping[str, Window],
        settings: SyncSettings,
        anchor: str,
    ) -> None:
        names = [s.name for s in streams]
        for name in (anchor, *windows):
            if name not in names:
                raise SettingsError(
                    f"no stream is named '{name}'",
                    where="synchronizer",
                    expected="one of " + ", ".join(names),
                )
        self._streams = {
            s.name: _Stream(s, windows.get(s.name, Nearest()), settings) for s in streams
        }
        self._all = tuple(self._streams.values())
        self._waited = tuple(self._streams[s.name] for s in streams if s.wait)
        self._anchor = self._streams[anchor]
        self._timeout_ns = _ns(settings.timeout_s)
        self._patience_ns = ABSENT_TIMEOUTS * self._timeout_ns
        self._max_future_ns = _ns(settings.max_future_s)
        self._jump_back_ns = _ns(settings.jump_back_s)
        self._pending: list[int] = []  # times of anchors whose sets have not left
        self._left_ns: int | None = None  # time of the last anchor that was settled
        self._begun_ns = 0  # time of the first message
        self._heard = False
        self._now_ns = 0
        self.health = Health({s.name: s.health for s in self._all})

    def push(self, stream: str, sample: Sample, now_ns: int) -> list[Observation]:
        """Take one message and return the sets that can leave now, oldest first.

        Args:
            stream: Name of its stream.
            sample: The decoded message.
            now_ns: The caller's clock, or `EventClock` time.
        """
        source = self._streams[stream]
        counts = source.health
        counts.received += 1
        counts.last_arrival_ns = now_ns
        time_ns = sample.stamp_ns + source.offset_ns
        if sample.stamp_ns <= 0:
            counts.refused[reasons.ZERO_STAMP] += 1
        elif time_ns > now_ns + self._max_future_ns:
            counts.refused[reasons.FUTURE_STAMP] += 1
        else:
            self._take(source, time_ns, sample, now_ns)
        return self.poll(now_ns)

    def poll(self, now_ns: int) -> list[Observation]:
        """Return the sets that can leave now; for when a deadline may have passed."""
        self._now_ns = now_ns
        pending = self._pending
        ready = 0
        while ready < len(pending) and (
            now_ns >= pending[ready] + self._timeout_ns or self._settled(pending[ready])
        ):
            ready += 1
        return self._leave(ready) if ready else []

    def flush(self) -> list[Observation]:
        """Return all sets that are still waiting: no message will follow."""
        return self._leave(len(self._pending))

    def clear(self) -> None:
        """Forget all messages and references; the counters stay. For a clock that was set back."""
        self._pending.clear()
        self._left_ns, self._heard = None, False
        for stream in self._all:
            stream.buffer.clear()
            stream.newest_ns = None
            stream.health.last_stamp_ns = stream.health.last_arrival_ns = 0
            if stream.reference:
                stream.reference.reset()

    def recapture_reference(self, stream: str) -> None:
        """Estimate the no-contact image of a tactile stream anew.

        Raises:
            SettingsError: `stream` is not a tactile stream.
        """
        source = self._streams.get(stream)
        if source is None or source.reference is None:
            tactile = [s.name for s in self._all if s.reference]
            raise SettingsError(
                f"'{stream}' is not a tactile stream",
                where="recapture_reference",
                expected="one of " + ", ".join(tactile) if tactile else "a tactile stream",
            )
        source.reference.reset()

    def _take(self, source: _Stream, time_ns: int, sample: Sample, now_ns: int) -> None:
        if source.newest_ns is not None and time_ns < source.newest_ns - self._jump_back_ns:
            self.clear()
            source.health.jumps_back += 1
        counts, anchor = source.health, self._anchor
        if not source.buffer.add(time_ns, sample):
            counts.refused[reasons.DUPLICATE] += 1
            return
        if not self._heard:
            self._heard, self._begun_ns = True, time_ns
        if source.newest_ns is None or time_ns > source.newest_ns:
            source.newest_ns = time_ns
            counts.took(sample.stamp_ns, now_ns)
            if source.reference:
                source.reference.add(sample.data)
        else:
            counts.out_of_order += 1
        if source is anchor:
            if self._left_ns is not None and time_ns <= self._left_ns:
                counts.dropped[reasons.LATE] += 1
            else:
                insort(self._pending, time_ns)
        self._bound(source)

    def _bound(self, source: _Stream) -> None:
        dropped = source.buffer.overflow()
        if dropped:
            source.health.dropped[reasons.OVERFLOW] += dropped
            if source is self._anchor:
                oldest_ns = source.buffer.times_ns[0]
                while self._pending and self._pending[0] < oldest_ns:
                    self._left_ns = self._pending.pop(0)
                    self.health.refused[source.name, reasons.OVERFLOW] += 1

    def _settled(self, time_ns: int) -> bool:
        for stream in self._waited:
            newest_ns = stream.newest_ns
            if newest_ns is not None and newest_ns >= time_ns:
                continue
            heard_ns = self._begun_ns if newest_ns is None else newest_ns
            if stream.required or time_ns - heard_ns <= self._patience_ns:
                return False
        return True

    def _leave(self, count: int) -> list[Observation]:
        times, self._pending = self._pending[:count], self._pending[count:]
        observations = []
        for time_ns in times:
            observation = self._form(time_ns)
            if observation:
                observations.append(observation)
            self._left_ns = time_ns
            for stream in self._all:
                stream.buffer.forget_before(time_ns + stream.reach_ns)
        return observations

    def _form(self, time_ns: int) -> Observation | None:
        streams: dict[str, StreamData] = {}
        missing: dict[str, str] = {}
        refused = False
        for stream in self._all:
            data = self._read(stream, time_ns)
            if not isinstance(data, str):
                streams[stream.name] = data
                continue
            missing[stream.name] = data
            stream.health.missing[data] += 1
            if stream.required or stream is self._anchor:
                self.health.refused[stream.name, data] += 1
                refused = True
        if refused:
            return None
        self.health.formed += 1
        self.health.partial += bool(missing)
        buffer = self._anchor.buffer
        anchor = buffer.samples[buffer.nearest(time_ns)]
        self.health.last_formed_ns = anchor.stamp_ns
        return Observation(anchor.stamp_ns, anchor.frame_id, self._anchor.name, streams, missing)

    def _read(self, stream: _Stream, time_ns: int) -> StreamData | str:
        buffer, counts = stream.buffer, stream.health
        found = read(stream.window, stream.offsets, buffer, time_ns, stream.tolerance_ns)
        if isinstance(found, str):
            if buffer.times_ns:
                counts.skew_ns = buffer.times_ns[buffer.nearest(time_ns)] - time_ns
            return self._why_silent(stream) or found if found == SKEW else found
        counts.skew_ns = found.distance_ns
        data, frames = found.data, found.frames
        if isinstance(stream.window, Nearest):  # as a window or a clip of one
            if stream.modality is Modality.IMU:
                data = data[None]
            elif stream.modality is Modality.TACTILE:
                frames = (data,)
        known = stream.reference
        image, number = (known.image, known.id) if known else (None, 0)
        age_ns, frame = -found.distance_ns, found.frame_id
        return StreamData(
            stream.modality, data, found.stamps_ns, age_ns, frames, image, number, frame
        )

    def _why_silent(self, stream: _Stream) -> str:
        """Why no message was taken for so long, by the caller's clock, that it is not skew."""
        counts, since_ns = stream.health, self._now_ns - self._patience_ns
        taken_ns = counts.last_stamp_ns + counts.delay_ns
        if stream.newest_ns is not None and taken_ns >= since_ns:
            return ""
        heard = counts.last_arrival_ns and counts.last_arrival_ns >= since_ns
        return reasons.REFUSED if heard else reasons.ABSENT


class EventClock:
    """Time for a caller without a clock: the largest stamp so far.

    It follows a recording that starts again by the synchronizer's own rule: a stamp more than
    `jump_back_s` before the last one of its stream. After `Synchronizer.clear`, take a new one.
    """

    def __init__(self, settings: SyncSettings) -> None:
        self._jump_back_ns = _ns(settings.jump_back_s)
        self._newest_ns: dict[str, int] = {}
        self.now_ns = 0

    def advance(self, stream: str, stamp_ns: int) -> int:
        """Take a message's stamp, return the time to push it with; a stamp of 0 is ignored."""
        if stamp_ns > 0:
            newest_ns = self._newest_ns.get(stream, stamp_ns)
            if stamp_ns < newest_ns - self._jump_back_ns:
                self._newest_ns.clear()
                self.now_ns = newest_ns = stamp_ns
            self._newest_ns[stream] = max(newest_ns, stamp_ns)
            self.now_ns = max(self.now_ns, stamp_ns)
        return self.now_ns
