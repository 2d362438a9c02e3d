"""The worker runs one item at a time, always the newest."""

from __future__ import annotations

import threading

import pytest

from xmodal_ros.ros import worker as worker_module
from xmodal_ros.ros.worker import Worker


class Gate:
    """Work that says when it begins, and ends when it is let go."""

    def __init__(self) -> None:
        self._begun, self._release = threading.Semaphore(0), threading.Semaphore(0)
        self.done: list[int] = []

    def __call__(self, item: int) -> None:
        self._begun.release()
        assert self._release.acquire(timeout=10)
        self.done.append(item)

    def begun(self) -> bool:
        return self._begun.acquire(timeout=10)

    def release(self) -> None:
        self._release.release()


@pytest.fixture
def gate() -> Gate:
    return Gate()


def test_waiting_items_are_replaced_by_the_newest_and_counted(gate) -> None:
    worker = Worker(gate, "test")
    worker.submit(0)
    assert gate.begun()
    for item in (1, 2, 3):
        worker.submit(item)
    gate.release()
    assert gate.begun()  # the next one is at work
    gate.release()
    worker.stop()

    assert gate.done == [0, 3]
    assert worker.dropped == 2


def test_what_is_to_be_kept_is_not_replaced_but_for_a_bound(gate, monkeypatch) -> None:
    monkeypatch.setattr(worker_module, "MOST_KEPT", 3)
    keep = threading.Event()
    worker = Worker(gate, "test", keep.is_set)
    worker.submit(0)
    assert gate.begun()
    worker.submit(1)
    keep.set()
    for item in (2, 3, 4, 5, 6):  # 2 replaces 1, which was not kept; 5 and 6 are too many
        worker.submit(item)
    keep.clear()
    worker.submit(7)
    for _ in range(4):
        gate.release()
        assert gate.begun()
    gate.release()
    worker.stop()

    assert gate.done == [0, 2, 3, 4, 7]
    assert worker.dropped == 3


def test_stop_finishes_the_item_at_work_and_leaves_the_one_that_waits(gate) -> None:
    worker = Worker(gate, "test")
    worker.submit(0)
    assert gate.begun()
    worker.submit(1)
    threading.Timer(0.05, gate.release).start()
    worker.stop()

    assert gate.done == [0]


def test_what_is_to_be_done_after_waits_for_all_that_was_handed_over(gate) -> None:
    worker = Worker(gate, "test")
    worker.submit(0)
    assert gate.begun()
    worker.submit(1)
    called = threading.Event()
    worker.after(lambda: (gate.done.append(-1), called.set()))
    gate.release()
    assert gate.begun()
    assert gate.done == [0]
    gate.release()
    assert called.wait(10)
    assert gate.done == [0, 1, -1]
    worker.after(called.clear)
    worker.submit(2)
    assert gate.begun()
    gate.release()
    worker.stop()
    assert gate.done == [0, 1, -1, 2]
    assert not called.is_set()
