"""Leaves of the tree that picks, and what they write down of the pick under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from py_trees.behaviour import Behaviour
from py_trees.common import Status
from rclpy.task import Future

from xmodal_ros.core.assess import Decision
from xmodal_ros.demo.picking.hand import Hand
from xmodal_ros.demo.picking.settings import PickSettings
from xmodal_ros.ros.answers import Assessment
from xmodal_ros.ros.behaviours import AssessGrasp


class Moved(NamedTuple):
    """A motion that was made."""

    command: str
    force_n: float
    """Grip per finger, as commanded."""
    outcome: str
    """What the grasp had become: the simulation tells, for the record alone."""
    at_s: float
    """When it had ended, simulated."""


@dataclass
class Pick:
    """The pick under way: what was done, and what came of it."""

    force_n: float
    """Grip per finger, now."""
    moves: list[Moved] = field(default_factory=list)
    answers: list[Assessment] = field(default_factory=list)
    decision: Decision = Decision.UNSURE
    """The last answer; unsure where none came in time."""
    probability: float = 0.0
    """That it holds, by the last answer; 0 where none came."""


class Move(Behaviour):
    """Has the arm make a motion, with the force that is wanted now."""

    def __init__(self, hand: Hand, pick: Pick, command: str) -> None:
        super().__init__(command)
        self._hand, self._pick = hand, pick
        self._made: Future | None = None

    def initialise(self) -> None:
        """Tell the arm."""
        self._made = self._hand.move(self.name, self._pick.force_n)

    def update(self) -> Status:
        """Wait until it has been made; what came of it, the robot cannot know.

        Raises:
            ArmError: it was not made.
        """
        assert self._made
        if not self._made.done():
            return Status.RUNNING
        outcome = self._made.result()
        moved = Moved(self.name, self._pick.force_n, outcome, self._hand.now_s)
        self._pick.moves.append(moved)
        return Status.SUCCESS


class Assess(AssessGrasp):
    """Asks whether the grasp holds, and writes the answer down."""

    def __init__(self, hand: Hand, pick: Pick, settings: PickSettings) -> None:
        asked = settings.threshold
        super().__init__(
            "does it hold?",
            hand.perception,
            settings.answer_s,
            min_confidence=asked,
            threshold=asked,
        )
        self._pick = pick

    def initialise(self) -> None:
        """Ask; until there is an answer, there is none."""
        self._pick.decision, self._pick.probability = Decision.UNSURE, 0.0
        super().initialise()

    def judge(self, answer: Assessment) -> tuple[Status, str]:
        """Keep the answer."""
        self._pick.answers.append(answer)
        self._pick.decision, self._pick.probability = answer.decision, answer.probability
        return super().judge(answer)


class Guard(Behaviour):
    """Succeeds where a condition holds at once."""

    def __init__(self, name: str, condition: Callable[[], bool]) -> None:
        super().__init__(name)
        self._condition = condition

    def update(self) -> Status:
        """Look."""
        return Status.SUCCESS if self._condition() else Status.FAILURE


class Grip(Behaviour):
    """Chooses the force of the next grip."""

    def __init__(self, name: str, pick: Pick, choose: Callable[[float], float]) -> None:
        super().__init__(name)
        self._pick, self._choose = pick, choose

    def update(self) -> Status:
        """Choose."""
        self._pick.force_n = self._choose(self._pick.force_n)
        return Status.SUCCESS
