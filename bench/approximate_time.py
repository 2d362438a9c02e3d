"""The rule of message_filters' ApproximateTimeSynchronizer, where that cannot be imported.

Each input keeps a queue by stamp. A message is combined with those of the other queues that lie
within the slop of it, nearest first, and the first combination whose span is below the slop
leaves: first fit, so a better message that comes later is not waited for. Stamps are rclpy's
`Time` and `Duration`, as there, because they are most of the cost. Written anew from that
description.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.time import Time


class ApproximateTime:
    """Combines messages of `inputs` queues that lie within `slop_s` of each other.

    Args:
        inputs: Number of inputs.
        queue_size: Messages kept per input.
        slop_s: Largest span of a set.
        callback: Called with the messages of a set.
    """

    def __init__(
        self, inputs: int, queue_size: int, slop_s: float, callback: Callable[..., None]
    ) -> None:
        self._queues: list[dict[int, Any]] = [{} for _ in range(inputs)]
        self._queue_size, self._slop = queue_size, Duration(seconds=slop_s)
        self._callback = callback
        self._lock = threading.Lock()

    def add(self, index: int, message: Any) -> None:
        """Take a message of input `index`."""
        stamp = Time.from_msg(message.header.stamp)
        with self._lock:
            queue = self._queues[index]
            queue[stamp.nanoseconds] = message
            while len(queue) > self._queue_size:
                del queue[min(queue)]
            choices = []
            for other in self._queues:
                choices.append([stamp] if other is queue else self._near(other, stamp))
                if not choices[-1]:
                    return
            self._leave_first_fit(choices)

    def _near(self, queue: dict[int, Any], stamp: Time) -> list[Time]:
        found = []
        for nanoseconds in queue:
            distance = Duration(nanoseconds=abs(nanoseconds - stamp.nanoseconds))
            if not distance > self._slop:
                time = Time(nanoseconds=nanoseconds, clock_type=stamp.clock_type)
                found.append((time, distance))
        return [time for time, _ in sorted(found, key=lambda pair: pair[1])]

    def _leave_first_fit(self, choices: list[list[Time]]) -> None:
        for combination in itertools.product(*choices):
            if max(combination) - min(combination) < self._slop:
                keys = [time.nanoseconds for time in combination]
                self._callback(*(q[key] for q, key in zip(self._queues, keys, strict=True)))
                for queue, key in zip(self._queues, keys, strict=True):
                    del queue[key]
                return


def approximate_time(
    inputs: int, queue_size: int, slop_s: float, callback: Callable[..., None]
) -> tuple[Callable[[int, Any], None], str]:
    """How to add a message, and what adds it: message_filters itself where it is installed."""
    try:
        import message_filters
    except ImportError:
        return ApproximateTime(inputs, queue_size, slop_s, callback).add, "its rule, written anew"
    sources = [message_filters.SimpleFilter() for _ in range(inputs)]
    synchronizer = message_filters.ApproximateTimeSynchronizer(sources, queue_size, slop_s)
    synchronizer.registerCallback(callback)
    return lambda index, message: sources[index].signalMessage(message), "message_filters"
