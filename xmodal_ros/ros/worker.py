"""One thread that works on the newest item only, so that latency stays bounded under overload."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_KEPT = 64
"""How many may wait while items are kept; beyond, the newest replaces the one before."""


class Worker(Generic[T]):
    """Runs `work(item)` in its own thread; an item that has to wait is replaced by a newer one.

    Args:
        work: Called in the worker's thread with one item at a time; handles its own errors.
        name: Name of the thread.
        keep: Whether an item that is handed over now may not be replaced: for a passing pause
            that is made up for afterwards.
    """

    def __init__(
        self, work: Callable[[T], None], name: str, keep: Callable[[], bool] = lambda: False
    ) -> None:
        self._work, self._keep = work, keep
        self._waiting: deque[tuple[Callable[[], None], bool]] = deque()  # may it be replaced?
        self._changed = threading.Condition()
        self._stopping = False
        self.dropped = 0
        """Items replaced by a newer one before their turn came."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: T) -> None:
        """Hand over an item; one that was handed over before it may be dropped and counted."""
        with self._changed:
            if self._waiting and self._waiting[-1][1]:
                self._waiting.pop()
                self.dropped += 1
            kept = self._keep() and len(self._waiting) < MOST_KEPT
            self._waiting.append((partial(self._work, item), not kept))
            self._changed.notify()

    def after(self, call: Callable[[], None]) -> None:
        """Call in the thread once nothing that was handed over so far is waiting or at work."""
        with self._changed:
            self._waiting.append((call, False))
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
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                call, _ = self._waiting.popleft()
            call()
