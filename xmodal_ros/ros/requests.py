"""Requests that wait for predictions to come, each with its time limit, and why none came.

They wait in the node, not in what is configured or active, so that each of them is answered
whatever becomes of the node. Any number wait at once: they only look on.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

from rclpy.node import Node

from xmodal_ros.core.errors import SettingsError, UserError
from xmodal_ros.core.types import Observation
from xmodal_ros.ros.alarm import Alarm
from xmodal_ros.ros.model import Model
from xmodal_ros.ros.session import NO_CLOCK, Seen, Session

RESERVE_S = 0.02
"""Answers leave so long before the limit, for transport: they are there by the limit."""


class NotActive(UserError):
    """The node predicts nothing."""


class NothingCame(UserError):
    """No prediction that is of use came in time."""


class Request(ABC):
    """What a client waits for.

    Args:
        timeout_s: Longest wait.
        required: Streams without which an observation is of no use.

    Attributes:
        hopes: Streams that are to blame where nothing of use comes.
    """

    def __init__(self, timeout_s: float, required: Sequence[str]) -> None:
        self.timeout_s, self.required = timeout_s, tuple(required)
        self.hopes = self.required
        self.begun_s = time.monotonic()
        self.useless = 0
        """Predictions that were of no use."""
        self.missing: dict[str, str] = {}
        """Why streams that are hoped for were not in the last of them."""

    def lacks(self, observation: Observation) -> bool:
        """Whether an observation has not all streams it has to have."""
        return not set(self.required) <= set(observation.present)

    def pass_over(self, observation: Observation) -> None:
        """Note an observation that is of no use."""
        self.useless += 1
        gone = [name for name in self.hopes if name not in observation.present]
        self.missing = {name: observation.missing.get(name, "absent") for name in gone}

    @abstractmethod
    def take(self, seen: Seen) -> bool:
        """Look at a prediction; whether the request needs no more."""

    def follow(self, model: Model) -> UserError | None:
        """Go on with another model, unless it cannot give what is waited for; then why."""
        return None

    @abstractmethod
    def late(self, why: UserError) -> None:
        """Answer at the limit."""

    @abstractmethod
    def fail(self, error: UserError) -> None:
        """Answer that it cannot be met."""


class Requests:
    """The requests under way; everything but `offer` is for the node's thread.

    Args:
        node: The node, whose executor has one thread.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._session: Session | None = None
        self._waiting: dict[Request, Alarm] = {}

    @property
    def session(self) -> Session:
        """What predicts.

        Raises:
            NotActive: nothing does.
        """
        if self._session is None:
            name = self._node.get_fully_qualified_name()
            raise NotActive(
                "the node is not active",
                where=name,
                do=f"Configure and activate it: ros2 lifecycle set {name} activate",
            )
        return self._session

    def __contains__(self, request: Request) -> bool:
        """Whether a request still waits."""
        return request in self._waiting

    def begin(self, session: Session) -> None:
        """Take requests from now on."""
        self._session = session

    def end(self) -> None:
        """Take no more; those that wait fail."""
        self._session = None
        name = self._node.get_fully_qualified_name()
        for request in tuple(self._waiting):
            self.remove(request)
            request.fail(NotActive("the node was deactivated meanwhile", where=name))

    def follow(self, model: Model) -> None:
        """Go on with another model; those that it can never answer fail."""
        for request in tuple(self._waiting):
            if error := request.follow(model):
                self.remove(request)
                request.fail(error)

    def check_streams(self, required: Sequence[str], readable: Sequence[str]) -> None:
        """Refuse streams that can never come.

        Args:
            required: Those asked for.
            readable: Those that the model reads.

        Raises:
            SettingsError: one of them is not read, or not heard.
            NotActive: nothing predicts.
        """
        known = [name for name in readable if name in self.session.inputs]
        for name in required:
            if name not in known:
                raise SettingsError(
                    f"got '{name}'",
                    where="required_streams",
                    expected="some of " + ", ".join(known),
                )

    def add(self, request: Request) -> None:
        """Let a request wait for the next predictions, until its limit."""
        after_s = max(request.timeout_s - RESERVE_S, 0.001)
        self._waiting[request] = Alarm(self._node, after_s, partial(self._late, request))

    def remove(self, request: Request) -> None:
        """Let a request wait no more."""
        if alarm := self._waiting.pop(request, None):
            alarm.stop()

    def offer(self, seen: Seen) -> None:
        """Show a prediction to all who wait; from any thread."""
        if self._waiting:
            self.soon(partial(self._take, seen))

    def soon(self, call: Callable[[], None]) -> None:
        """Let the node's thread call; from any thread."""
        if executor := self._node.executor:
            executor.create_task(call)

    def _take(self, seen: Seen) -> None:
        for request in tuple(self._waiting):
            if request.take(seen):
                self.remove(request)

    def _late(self, request: Request) -> None:
        self.remove(request)
        what = f"no prediction within {request.timeout_s:g} s"
        if request.useless:
            hopes = ", ".join(request.hopes)
            what = f"none of {request.useless} predictions within {request.timeout_s:g} s had "
            what += hopes
        where = self.session.settings.anchor.name
        if not self._node.get_clock().now().nanoseconds:
            why = NO_CLOCK
        else:
            why = "; ".join(_reasons(self.session, request))
        request.late(NothingCame(what, where=where, do=why))


def _reasons(session: Session, request: Request) -> list[str]:
    """Say which streams starve a request, or what else does."""
    settings = session.settings
    vital = {
        *request.hopes,
        settings.anchor.name,
        *(s.name for s in settings.streams if s.required),
    }
    inputs = {name: source for name, source in session.inputs.items() if name in vital}
    if silent := [s.why_silent() for s in inputs.values() if s.heard_s < request.begun_s]:
        return silent
    if request.missing:
        heard = {name: inputs[name].error for name in request.missing if name in inputs}
        return [heard.get(name) or f"{name}: {why}" for name, why in request.missing.items()]
    if refused := [source.error for source in inputs.values() if source.error]:
        return refused
    if lost := session.pipeline.health.refused.most_common(2):
        return [f"no set without {name}: {why}" for (name, why), _ in lost]
    return ["Its streams are heard: allow more time, and see /diagnostics"]
