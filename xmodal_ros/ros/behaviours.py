"""Behaviours for py_trees that ask the perception node: whether a grasp holds, what goes on.

They are made with a `Perception` of the node that ticks the tree, and wait while they are
`RUNNING`: that node has to be spun between ticks. A behaviour that the tree leaves cancels its
question. What went wrong is in `feedback_message`. Needs requirements/trees.txt.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import Any

from py_trees.behaviour import Behaviour
from py_trees.common import Access, Status
from rclpy.task import Future

from xmodal_ros.core.errors import UserError
from xmodal_ros.ros.answers import Assessment, Recognized
from xmodal_ros.ros.client import Perception


class Asking(Behaviour):
    """Runs until a future is done; fails where its question could not be answered.

    Args:
        name: Of the behaviour.
        perception: Whom to ask.
        key: Where the answer is written on the blackboard; None there while there is no answer.
    """

    def __init__(self, name: str, perception: Perception, key: str) -> None:
        super().__init__(name)
        self.perception, self._key = perception, key
        self.blackboard = self.attach_blackboard_client(name)
        self.blackboard.register_key(key, Access.WRITE)
        self._future: Future | None = None

    @abstractmethod
    def ask(self) -> Future:
        """Ask.

        Raises:
            UserError: it makes no sense.
        """

    @abstractmethod
    def judge(self, answer: Any) -> tuple[Status, str]:
        """What an answer means, and the same for a person."""

    def initialise(self) -> None:
        """Ask; what was answered before is gone."""
        self.blackboard.set(self._key, None)
        try:
            self._future = self.ask()
        except UserError as error:
            self._future = Future()
            self._future.set_exception(error)

    def update(self) -> Status:
        """Look for the answer."""
        assert self._future
        if not self._future.done():
            return Status.RUNNING
        try:
            answer = self._future.result()
        except UserError as error:
            self.feedback_message = str(error)
            return Status.FAILURE
        self.blackboard.set(self._key, answer)
        status, self.feedback_message = self.judge(answer)
        return status

    def terminate(self, new_status: Status) -> None:
        """Cancel the question where the tree goes elsewhere."""
        if new_status == Status.INVALID and self._future:
            self._future.cancel()


class AssessGrasp(Asking):
    """Succeeds where the grasp will hold; fails where it will not, and where that stays unsure.

    Args:
        name: Of the behaviour.
        perception: Whom to ask.
        timeout_s: Longest wait.
        key: Where the `Assessment` is written on the blackboard.
        options: Others of `Perception.assess_grasp_async`.
    """

    def __init__(
        self,
        name: str,
        perception: Perception,
        timeout_s: float,
        key: str = "assessment",
        **options: Any,
    ) -> None:
        super().__init__(name, perception, key)
        self._timeout_s, self._options = timeout_s, options

    def ask(self) -> Future:
        """Ask whether the grasp holds."""
        return self.perception.assess_grasp_async(self._timeout_s, **self._options)

    def judge(self, answer: Assessment) -> tuple[Status, str]:
        """Whether it was decided that it does."""
        return Status.SUCCESS if answer.holds else Status.FAILURE, answer.message


class WaitForActivity(Asking):
    """Succeeds once an activity is recognized; fails where it is not in time.

    Args:
        name: Of the behaviour.
        perception: Whom to ask.
        label: Of the activity.
        timeout_s: Longest wait.
        key: Where the `Recognized` is written on the blackboard.
    """

    def __init__(
        self,
        name: str,
        perception: Perception,
        label: str,
        timeout_s: float,
        key: str = "activity",
    ) -> None:
        super().__init__(name, perception, key)
        self._label, self._timeout_s = label, timeout_s

    def ask(self) -> Future:
        """Wait for it."""
        return self.perception.wait_for_activity_async(self._label, self._timeout_s)

    def judge(self, answer: Recognized) -> tuple[Status, str]:
        """It came."""
        return Status.SUCCESS, _said(answer)


class CheckMaterial(Behaviour):
    """Succeeds while the latest material is one of some; never waits.

    Args:
        name: Of the behaviour.
        perception: Whose materials.
        labels: Of the materials that let it pass.
        min_confidence: Least confidence in the material, 0 to 1.
        max_age_s: An older answer does not count.
    """

    def __init__(
        self,
        name: str,
        perception: Perception,
        labels: Collection[str],
        min_confidence: float = 0.0,
        max_age_s: float = 1.0,
    ) -> None:
        super().__init__(name)
        self._perception, self._labels = perception, frozenset(labels)
        self._min_confidence, self._max_age_s = min_confidence, max_age_s

    def update(self) -> Status:
        """Look at the latest one."""
        found = self._perception.latest_material(self._max_age_s)
        self.feedback_message = _said(found) if found else "no material is recognized now"
        passes = (
            found is not None
            and found.label in self._labels
            and found.confidence >= self._min_confidence
        )
        return Status.SUCCESS if passes else Status.FAILURE


def _said(answer: Recognized) -> str:
    return f"{answer.label}, with confidence {answer.confidence:.2f}"
