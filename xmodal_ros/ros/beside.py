"""What is published beside predictions while somebody listens, each in a thread of its own.

It is only made of the newest prediction where making it is too slow. In lock-step it is made at
once, so that each prediction has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from xmodal_ros.core.types import Observation
from xmodal_ros.ros.worker import Worker
from xmodal_ros.runtime.frames import Features


class Extra(Protocol):
    """Something to publish on request."""

    what: str
    """For the text of an error, and the name of the thread."""

    def wanted(self, observation: Observation, encoded: Mapping[str, Features]) -> Any:
        """What is to be made of an observation; None while nobody listens.

        Args:
            observation: What was seen.
            encoded: What the predictor made of it.
        """

    def publish(self, wanted: Any) -> None:
        """Make and publish it."""

    def close(self) -> None:
        """Remove the publishers."""


class Beside:
    """An extra while the node is active.

    Args:
        extra: What.
        failed: Called with what could not be made and what was raised.
        lock_step: Whether it is made at once.
    """

    def __init__(
        self, extra: Extra, failed: Callable[[str, Exception], None], lock_step: bool
    ) -> None:
        self._extra, self._failed = extra, failed
        self._worker = None if lock_step else Worker(self._publish, extra.what)

    def offer(self, observation: Observation, encoded: Mapping[str, Features]) -> None:
        """Publish what is wanted of an observation."""
        wanted = self._extra.wanted(observation, encoded)
        if wanted is None:
            return
        if self._worker:
            self._worker.submit(wanted)
        else:
            self._publish(wanted)

    def stop(self) -> None:
        """Finish what is being made."""
        if self._worker:
            self._worker.stop()

    def _publish(self, wanted: Any) -> None:
        try:
            self._extra.publish(wanted)
        except Exception as error:  # one less, but the node must live
            self._failed(self._extra.what, error)
