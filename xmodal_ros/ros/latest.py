"""The latest observation of some streams, for what looks at them only now and then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rclpy.clock import Clock, JumpThreshold
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.node import Node

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.health import OTHER_ANCHOR
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.types import Observation
from xmodal_ros.core.windows import Window
from xmodal_ros.data.ingest import Ingest
from xmodal_ros.ros.inputs import Input
from xmodal_ros.ros.session import LOG_PERIOD_S, NO_CLOCK, POLL_PERIOD_S

MAX_AGE_S = 2.0
"""An older observation does not show what is now."""


class Latest:
    """Hears streams and puts them together as perception does; keeps the latest observation.

    Args:
        node: Node to subscribe with; what it is in has one thread.
        settings: With the streams to hear.
        windows: How each of them is read.
    """

    def __init__(self, node: Node, settings: Settings, windows: Mapping[str, Window]) -> None:
        self._node, self._clock = node, node.get_clock()
        self._ingest = Ingest(settings, windows, self._refused)
        self._observation: Observation | None = None
        self._anchor = settings.anchor.name
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(POLL_PERIOD_S, self._poll, clock=steady)
        back = Duration(seconds=-settings.sync.jump_back_s)
        self._jump = self._clock.create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=back), post_callback=self._clear
        )
        self._inputs = {s.name: Input(node, s, self._receive) for s in settings.streams}

    def observation(self) -> Observation:
        """The latest one.

        Raises:
            DataError: there is none, or it is too old; the text says why.
        """
        found, now_ns = self._observation, self._clock.now().nanoseconds
        if found and now_ns - found.stamp_ns <= MAX_AGE_S * 1e9:
            return found
        if not now_ns:
            raise DataError(NO_CLOCK, where="streams")
        what, do = "gave nothing yet", f"{self._why()}; {OTHER_ANCHOR}"
        if found:
            what, do = f"gave nothing for {(now_ns - found.stamp_ns) * 1e-9:.1f} s", self._why()
        raise DataError(what, where=self._anchor, do=do)

    def close(self) -> None:
        """Stop listening to the clock; the rest goes with the node."""
        self._jump.unregister()

    def _why(self) -> str:
        """Say of each stream that can hold observations up what is wrong with it."""
        return "; ".join(
            source.error or source.why_silent()
            for name, source in self._inputs.items()
            if name == self._anchor or source.stream.required
        )

    def _receive(self, source: Input, message: Any) -> None:
        if now_ns := self._clock.now().nanoseconds:
            self._keep(self._ingest.message(source.stream.name, message, now_ns))

    def _poll(self) -> None:
        self._keep(self._ingest.synchronizer.poll(self._clock.now().nanoseconds))

    def _keep(self, observations: list[Observation]) -> None:
        if observations:
            self._observation = observations[-1]

    def _refused(self, stream: str, error: DataError) -> None:
        self._inputs[stream].error = str(error)
        self._node.get_logger().warning(str(error), throttle_duration_sec=LOG_PERIOD_S)

    def _clear(self, _: Any) -> None:
        self._ingest.clear()
        self._observation = None
