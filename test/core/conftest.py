"""A synchronizer driven by timelines in milliseconds, which the tests of core share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xmodal_ros.core.settings import StreamSettings, SyncSettings
from xmodal_ros.core.sync import Synchronizer
from xmodal_ros.core.types import Observation, Sample

MS = 1_000_000
EMPTY = {
    "camera": np.zeros((2, 2, 3), np.uint8),
    "tactile": np.zeros((2, 2, 3), np.uint8),
    "imu": np.zeros(6, np.float32),
    "lidar": np.zeros((1, 4), np.float32),
}


class Timeline:
    """Pushes messages `(stream, stamp in ms)`; the clock is the stamp where none is given."""

    def __init__(
        self,
        streams: dict[str, dict[str, Any]],
        windows: dict[str, Any] | None = None,
        **sync: Any,
    ) -> None:
        settings = [
            StreamSettings(**{"name": name, "modality": name, **values})
            for name, values in streams.items()
        ]
        self.modality = {s.name: s.modality for s in settings}
        self.sync = Synchronizer(
            settings, windows or {}, SyncSettings(**sync), next(iter(streams))
        )
        self.health = self.sync.health

    def push(
        self, stream: str, stamp_ms: float, data: Any = None, now_ms: float | None = None
    ) -> list[Observation]:
        data = EMPTY[self.modality[stream]] if data is None else data
        now_ns = round((stamp_ms if now_ms is None else now_ms) * MS)
        return self.sync.push(
            stream, Sample(round(stamp_ms * MS), f"{stream}_frame", data), now_ns
        )

    def play(self, *messages: tuple[str, float]) -> list[Observation]:
        return [o for stream, stamp_ms in messages for o in self.push(stream, stamp_ms)]

    def poll(self, now_ms: float) -> list[Observation]:
        return self.sync.poll(round(now_ms * MS))


@pytest.fixture
def timeline() -> Callable[..., Timeline]:
    return Timeline


@pytest.fixture
def stamps() -> Callable[[list[Observation]], list[dict[str, float]]]:
    """Of each set, the stamp in ms of the newest message of every stream."""

    def table(observations: list[Observation]) -> list[dict[str, float]]:
        return [
            {name: max(data.stamps_ns) / MS for name, data in o.streams.items()}
            for o in observations
        ]

    return table
