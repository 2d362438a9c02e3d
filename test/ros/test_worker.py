"""The worker runs one item at a time, always the newest."""

import threading

from xmodal_ros.ros.worker import Worker


def test_waiting_items_are_replaced_by_the_newest_and_counted() -> None:
    begun, release, done = threading.Semaphore(0), threading.Semaphore(0), []

    def work(item: int) -> None:
        begun.release()
        assert release.acquire(timeout=10)
        done.append(item)

    worker = Worker(work, "test")
    worker.submit(0)
    assert begun.acquire(timeout=10)  # 0 is at work
    for item in (1, 2, 3):
        worker.submit(item)
    release.release()
    assert begun.acquire(timeout=10)  # the next one is
    release.release()
    worker.stop()

    assert done == [0, 3]
    assert worker.dropped == 2


def test_stop_finishes_the_item_at_work_and_leaves_the_one_that_waits() -> None:
    begun, release, done = threading.Semaphore(0), threading.Semaphore(0), []

    def work(item: int) -> None:
        begun.release()
        assert release.acquire(timeout=10)
        done.append(item)

    worker = Worker(work, "test")
    worker.submit(0)
    assert begun.acquire(timeout=10)
    worker.submit(1)
    threading.Timer(0.05, release.release).start()
    worker.stop()

    assert done == [0]
