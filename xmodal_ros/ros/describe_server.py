"""The action `~/describe_scene`: one question at a time, answered in a thread of its own.

A goal is refused in its result, not by rejecting it: a rejection cannot carry a reason.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from xmodal_msgs.action import DescribeScene
from xmodal_ros.core.errors import DataError, UserError
from xmodal_ros.core.types import Observation
from xmodal_ros.data.encode import seconds
from xmodal_ros.ros.encode import fill
from xmodal_ros.ros.goals import Goals
from xmodal_ros.ros.worker import Worker
from xmodal_ros.runtime.language.describer import CANCELLED, DEADLINE, Describer, Description
from xmodal_ros.runtime.language.model import PromptError

Result = DescribeScene.Result
FEEDBACK_S = 0.05
OVERDUE_S = 1.0
"""A model that has not noticed by then that it shall stop is no longer waited for."""
ENDINGS = {
    DEADLINE: (Result.TIMEOUT, "the time was up before the answer was complete"),
    CANCELLED: (Result.CANCELED, "canceled"),
}
"""Code and message, by how an answer ended too early."""


@dataclass
class _Question:
    """A goal under way. The worker writes `text` and `outcome`, the node's thread the rest."""

    handle: Any
    observation: Observation
    limit_s: float
    begun_s: float = field(default_factory=time.monotonic)
    text: str = ""
    outcome: Description | Exception | None = None
    told: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    ended: bool = False


class DescribeServer:
    """Answers goals about the latest observation.

    Args:
        node: Node to serve with; what it is in has one thread.
        describer: What answers; None where none is configured.
        model_id: Its name.
        observe: Gives the latest observation.
    """

    def __init__(
        self,
        node: Node,
        describer: Describer | None,
        model_id: str,
        observe: Callable[[], Observation],
    ) -> None:
        self._node, self._describer = node, describer
        self._model_id, self._observe = model_id, observe
        self._question: _Question | None = None
        self._worker: Worker[_Question] = Worker(self._work, "describe")
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(FEEDBACK_S, self._update, clock=steady)
        self._goals = Goals(node, DescribeScene, "~/describe_scene", self._accept)

    def close(self) -> None:
        """Stop the answer under way and remove the server."""
        if self._question:
            self._question.stop.set()
        self._worker.stop()
        self._goals.close()

    def _accept(self, handle: Any) -> None:
        refused = self._begin(handle)
        if refused:
            self._goals.end(handle, refused)

    def _begin(self, handle: Any) -> DescribeScene.Result | None:
        """Hand a goal to the worker, or say why not."""
        if self._describer is None:
            return Result(
                error_code=Result.NO_MODEL,
                message="no language model is configured: set parameter 'language.path' to the "
                "folder of a describer and start the node again",
            )
        if self._question:
            return Result(
                error_code=Result.BUSY,
                message="another question is being answered: wait for it, or cancel it",
            )
        try:
            observation = self._observe()
        except DataError as error:
            return Result(error_code=Result.NO_OBSERVATION, message=str(error))
        wish = handle.request.timeout
        limit_s = wish.sec + wish.nanosec * 1e-9
        if limit_s <= 0:
            limit_s = self._describer.settings.deadline_s
        self._question = _Question(handle, observation, limit_s)
        self._worker.submit(self._question)
        return None

    def _work(self, question: _Question) -> None:
        """Answer in the worker's thread."""
        assert self._describer

        def add(text: str) -> None:
            question.text += text

        try:
            question.outcome = self._describer.describe(
                question.handle.request.question,
                question.observation,
                add,
                max(0.001, question.limit_s - (time.monotonic() - question.begun_s)),
                question.stop.is_set,
            )
        except Exception as error:  # the next question may be fine; the node must live
            question.outcome = error

    def _update(self) -> None:
        question = self._question
        if not question:
            return
        outcome = question.outcome  # read once: the worker may set it at any moment
        if not question.ended:
            self._attend(question, outcome)
        if outcome is not None:
            self._question = None

    def _attend(self, question: _Question, outcome: Description | Exception | None) -> None:
        """Tell a goal how far its answer is; end it when it is there, or overdue."""
        text, passed_s = question.text, time.monotonic() - question.begun_s
        if text != question.told:
            question.told = text
            question.handle.publish_feedback(DescribeScene.Feedback(text=text))
        if question.handle.is_cancel_requested and not question.stop.is_set():
            question.stop.set()
            question.limit_s = passed_s
        if outcome is None and passed_s > question.limit_s + OVERDUE_S:
            ended = CANCELLED if question.stop.is_set() else DEADLINE
            outcome = Description(text, 0, passed_s, ended, False, 0.0, 0)
        if outcome is not None:
            self._end(question, outcome)

    def _end(self, question: _Question, outcome: Description | Exception) -> None:
        fields: dict[str, Any] = {"model_id": self._model_id}
        if isinstance(outcome, Exception):
            code, message = self._failed(outcome)
        else:
            code, message = ENDINGS.get(outcome.ended, (Result.OK, ""))
            observation = question.observation
            fields |= {
                "header": {
                    "stamp": seconds(observation.stamp_ns),
                    "frame_id": observation.frame_id,
                },
                "text": outcome.text,
                "truncated": outcome.truncated,
                "abstained": outcome.abstained,
                "confidence": outcome.confidence,
                "modalities_used": outcome.used,
                "duration": seconds(round(outcome.seconds * 1e9)),
            }
        fields |= {"error_code": code, "message": message}
        question.ended = True
        self._goals.end(question.handle, fill(Result, fields))

    def _failed(self, error: Exception) -> tuple[int, str]:
        """Code and message of what an answer raised; a bug goes to the log."""
        if isinstance(error, UserError):
            kinds = {PromptError: Result.BAD_QUESTION, DataError: Result.NO_OBSERVATION}
            return kinds.get(type(error), Result.FAILED), str(error)
        self._node.get_logger().error("".join(traceback.format_exception(error)))
        return Result.FAILED, f"{error!r}: see the log of the node"
