"""A device that is lost is opened again."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from xmodal_ros.core.errors import DeviceError
from xmodal_ros.drivers import reader
from xmodal_ros.drivers.capture import Frame, open_source
from xmodal_ros.drivers.gel_settings import DeviceSettings
from xmodal_ros.drivers.reader import Reader
from xmodal_ros.drivers.synthetic import SyntheticGel

WAIT_S = 30.0


class Watched:
    """A reader, and what it tells, in order."""

    def __init__(self, settings: DeviceSettings) -> None:
        self.told: queue.Queue[Any] = queue.Queue()
        self.reader = Reader(
            open_source(settings),
            lambda: open_source(settings),
            self.told.put,
            lambda error: self.told.put(str(error)),
            lambda: self.told.put("back"),
        )

    def until(self, condition: Callable[[Any], bool]) -> Any:
        """The first thing told that fits."""
        while not condition(told := self.told.get(timeout=WAIT_S)):
            pass
        return told


@pytest.fixture
def path(video: Callable[..., Path]) -> Path:
    gel = SyntheticGel(64, 48)
    return video([gel.image() for _ in range(50)])


def _settings(path: Path, **more: Any) -> DeviceSettings:
    return DeviceSettings(path=str(path), width=64, height=48, rate_hz=240.0, **more)


def test_a_device_that_disappears_is_read_again_when_it_returns(path: Path) -> None:
    watched = Watched(_settings(path))
    watched.until(lambda told: isinstance(told, Frame))
    away = path.rename(path.with_suffix(".away"))
    assert "is gone" in watched.until(lambda told: isinstance(told, str))
    assert "no such device or file" in watched.until(lambda told: isinstance(told, str))
    assert "no such device or file" in watched.reader.error
    away.rename(path)
    watched.until(lambda told: told == "back")
    frame = watched.until(lambda told: isinstance(told, Frame))
    watched.reader.stop()
    assert frame.image.shape == (48, 64, 3)
    assert (watched.reader.error, watched.reader.reconnects) == ("", 1)


def test_pauses_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            if len(pauses) == 8:
                self.set()
            return self.is_set()

    class Broken:
        def read(self, _: Any) -> Frame:
            raise DeviceError("gives nothing", where="device")

        def close(self) -> None:
            pass

    def refuse() -> Any:
        raise DeviceError("is missing", where="device")

    clock = SimpleNamespace(Event=Event, Thread=threading.Thread)
    monkeypatch.setattr(reader, "threading", clock)
    made = Reader(Broken(), refuse, lambda _: None, lambda _: None, lambda: None)
    made._thread.join(WAIT_S)
    longest = [reader.LONGEST_PAUSE_S] * 8
    doubling = [reader.FIRST_PAUSE_S * 2**k for k in range(8)]
    np.testing.assert_allclose(pauses, np.minimum(longest, doubling))


def test_a_video_that_ends_is_no_fault(path: Path) -> None:
    watched = Watched(_settings(path, loop=False))
    frames = [watched.told.get(timeout=WAIT_S) for _ in range(50)]
    watched.reader._thread.join(WAIT_S)
    assert all(isinstance(frame, Frame) for frame in frames)
    assert watched.reader.ended
    assert not watched.reader.error
    watched.reader.stop()
