"""One thread that works on the newest item only, so that latency stays bounded under overload."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Worker(Generic[T]):
    """Runs `work(item)` in its own thread; an item that has to wait is replaced by a newer one.

    Args:
        work: Called in the worker's thread with one item at a time; handles its own errors.
        name: Name of the thread.
    """

    def __init__(self, work: Callable[[T], None], name: str) -> None:
        self._work = work
        self._waiting: list[T] = []
        self._after: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self._stopping = False
        self.dropped = 0
        """Items replaced by a newer one before their turn came."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: T) -> None:
        """Hand over an item; one that still waits is dropped and counted."""
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting = [item]
            self._changed.notify()

    def after(self, call: Callable[[], None]) -> None:
        """Call in the thread once nothing that was handed over so far is waiting or at work."""
        with self._changed:
            self._after.append(call)
            self._changed.notify()

    def stop(self) -> None:
        """Finish the item at work, drop what waits, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._after or self._stopping)
                if self._stopping:
                    return
                items, self._waiting = self._waiting, []
                calls, self._after = self._after, []
            for item in items:  # older than the calls, if it is not newer
                self._work(item)
            for call in calls:
                call()
