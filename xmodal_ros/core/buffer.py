"""The recent messages of one stream in time order, bounded in messages and bytes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from xmodal_ros.core.types import Sample


class Buffer:
    """Samples sorted by time; a time is a stamp after the stream's offset.

    Arrays with bisection: the synchronizer drops what no later anchor can use, so they stay short.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self.max_messages, self.max_bytes = max_messages, max_bytes
        self.times_ns = array("q")
        self.samples: list[Sample] = []
        self.bytes = 0

    def add(self, time_ns: int, sample: Sample) -> bool:
        """Insert in time order; False if a message of the same time is there already."""
        times = self.times_ns
        if not times or time_ns > times[-1]:
            times.append(time_ns)
            self.samples.append(sample)
        else:
            index = bisect_left(times, time_ns)
            if times[index] == time_ns:
                return False
            times.insert(index, time_ns)
            self.samples.insert(index, sample)
        self.bytes += sample.data.nbytes
        return True

    def overflow(self) -> int:
        """Drop the oldest messages beyond the bounds, never the newest one; returns how many."""
        if len(self.times_ns) <= self.max_messages and self.bytes <= self.max_bytes:
            return 0
        count = max(len(self.times_ns) - self.max_messages, 0)
        excess = self.bytes - self.max_bytes - sum(s.data.nbytes for s in self.samples[:count])
        while excess > 0 and count < len(self.times_ns) - 1:
            excess -= self.samples[count].data.nbytes
            count += 1
        self._drop(count)
        return count

    def forget_before(self, time_ns: int) -> None:
        """Drop all messages older than the last one at or before `time_ns`."""
        self._drop(bisect_right(self.times_ns, time_ns) - 1)

    def nearest(self, time_ns: int) -> int:
        """Index of the message nearest to `time_ns`, the earlier of two; -1 if there is none."""
        times = self.times_ns
        after = bisect_left(times, time_ns)
        if after == 0 or after == len(times):
            return min(after, len(times) - 1)
        return after if times[after] - time_ns < time_ns - times[after - 1] else after - 1

    def around(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """Indices of the last message at or before `start_ns` and the first at or after `end_ns`.

        Where the messages begin later it is the oldest one, where they end earlier the newest; the
        second is -1 if there are none.
        """
        last = min(bisect_left(self.times_ns, end_ns), len(self.times_ns) - 1)
        return max(bisect_right(self.times_ns, start_ns) - 1, 0), last

    def clear(self) -> None:
        """Forget everything."""
        self._drop(len(self.times_ns))

    def _drop(self, count: int) -> None:
        if count > 0:
            self.bytes -= sum(s.data.nbytes for s in self.samples[:count])
            del self.times_ns[:count]
            del self.samples[:count]
