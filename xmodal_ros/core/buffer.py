"""The recent messages of one stream in time order, bounded in messages and bytes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

import numpy as np

from xmodal_ros.core.types import Sample


class Columns:
    """Vectors of one length side by side in memory, so that a window is a view of it.

    Joining the vectors of a window anew for every set costs more than all the rest of it.

    Args:
        height: Length of a vector.
    """

    def __init__(self, height: int) -> None:
        self._memory = np.empty((height, 256), np.float32)
        self._begin = self._end = 0

    @property
    def values(self) -> np.ndarray:
        """All vectors; a view, valid until one is inserted. Shape: (height, N)."""
        return self._memory[:, self._begin : self._end]

    def insert(self, index: int, vector: np.ndarray) -> None:
        """Insert before vector `index`."""
        if self._end == self._memory.shape[1]:
            self._make_room()
        place = self._begin + index
        if place < self._end:
            self._memory[:, place + 1 : self._end + 1] = self._memory[:, place : self._end].copy()
        self._memory[:, place] = vector
        self._end += 1

    def drop(self, count: int) -> None:
        """Remove the first `count` vectors."""
        self._begin += count

    def _make_room(self) -> None:
        """Move the vectors to the front of a memory that they fill by half at most."""
        values = self.values
        height, count = values.shape
        self._memory = np.empty((height, max(256, 2 * count)), np.float32)
        self._memory[:, :count] = values
        self._begin, self._end = 0, count


class Buffer:
    """Samples sorted by time; a time is a stamp after the stream's offset.

    Arrays with bisection: the synchronizer drops what no later anchor can use, so they stay short.

    Args:
        max_messages: Bound of `overflow`.
        max_bytes: Bound of `overflow`, of the samples' data.
        columns: Where the samples' data is kept a second time, as vectors in the same order.
    """

    def __init__(self, max_messages: int, max_bytes: int, columns: Columns | None = None) -> None:
        self.columns = columns
        self.max_messages, self.max_bytes = max_messages, max_bytes
        self.times_ns = array("q")
        self.samples: list[Sample] = []
        self.bytes = 0

    def add(self, time_ns: int, sample: Sample) -> bool:
        """Insert in time order; False if a message of the same time is there already."""
        times, index = self.times_ns, len(self.times_ns)
        if times and time_ns <= times[-1]:
            index = bisect_left(times, time_ns)
            if times[index] == time_ns:
                return False
        times.insert(index, time_ns)
        self.samples.insert(index, sample)
        if self.columns:
            self.columns.insert(index, sample.data)
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
            if self.columns:
                self.columns.drop(count)
