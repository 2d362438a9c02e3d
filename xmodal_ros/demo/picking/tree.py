"""Behaviour trees that pick an object, one for each strategy that is compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from py_trees.behaviour import Behaviour
from py_trees.composites import Selector
from py_trees.composites import Sequence as Steps
from py_trees.decorators import Repeat

from xmodal_ros.core.assess import Decision
from xmodal_ros.demo.picking.behaviours import Assess, Grip, Guard, Move, Pick
from xmodal_ros.demo.picking.hand import Hand
from xmodal_ros.demo.picking.settings import PickSettings

Grasp = Callable[[Hand, Pick, PickSettings], Sequence[Behaviour]]


@dataclass(frozen=True)
class Strategy:
    """What is done until the object is lifted."""

    title: str
    grasp: Grasp
    """Makes the behaviours before the lift; where they fail, the object is left alone."""
    asks: bool = False
    """Whether it needs the perception node."""


def pick_tree(strategy: Strategy, hand: Hand, pick: Pick, settings: PickSettings) -> Behaviour:
    """Grasp, lift, and carry: the shake is what carrying fast does to the grip."""
    carry = [Move(hand, pick, "lift"), Move(hand, pick, "shake")]
    return Steps("pick", True, [*strategy.grasp(hand, pick, settings), *carry])


def _at_once(hand: Hand, pick: Pick, settings: PickSettings) -> list[Behaviour]:
    return [Move(hand, pick, "reach"), Move(hand, pick, "grasp")]


def _strongest(hand: Hand, pick: Pick, settings: PickSettings) -> list[Behaviour]:
    strongest = Grip("strongest grip", pick, lambda _: settings.strongest_n)
    return [strongest, *_at_once(hand, pick, settings)]


def _twice(hand: Hand, pick: Pick, settings: PickSettings) -> list[Behaviour]:
    first, again = (_at_once(hand, pick, settings) for _ in range(2))
    return [*first, Move(hand, pick, "release"), *again]


def _assessed(hand: Hand, pick: Pick, settings: PickSettings) -> list[Behaviour]:
    first = Steps("grasp", True, [*_at_once(hand, pick, settings), _firm(hand, pick, settings)])
    others = [
        Steps(
            f"regrasp {number}",
            True,
            [
                Move(hand, pick, "release"),
                Grip("stronger grip", pick, settings.tighter),
                *_at_once(hand, pick, settings),
                _firm(hand, pick, settings),
            ],
        )
        for number in range(1, settings.attempts)
    ]
    return [Selector("grasp until it holds", True, [first, *others])]


def _firm(hand: Hand, pick: Pick, settings: PickSettings) -> Behaviour:
    """Raise the object a little and ask; tighten while the answer is neither yes nor no.

    When the grip can get no stronger, what holds more probably than not is good enough.
    """

    def ask() -> list[Behaviour]:
        assess = Assess(hand, pick, settings)
        sure = Repeat("do the answers agree?", assess, num_success=settings.agree)
        return [Move(hand, pick, "raise"), sure]

    def worth_it() -> bool:
        return pick.decision == Decision.UNSURE and pick.force_n < settings.strongest_n

    def good_enough() -> bool:
        return pick.force_n >= settings.strongest_n and pick.probability >= 0.5

    tighter = [
        Steps(
            f"tighten {number}",
            True,
            [
                Guard("is it worth it?", worth_it),
                Grip("stronger grip", pick, settings.tighter),
                Move(hand, pick, "grasp"),
                *ask(),
            ],
        )
        for number in range(1, settings.tightenings + 1)
    ]
    first, last = Steps("try", True, ask()), Guard("is it good enough?", good_enough)
    return Selector("tighten until it holds", True, [first, *tighter, last])


STRATEGIES = {
    "lift": Strategy("lift at once", _at_once),
    "strongest": Strategy("strongest grip for everything", _strongest),
    "twice": Strategy("always grasp a second time", _twice),
    "assess": Strategy("ask whether it holds", _assessed, asks=True),
}
"""By name, what is compared; without the perception node first."""
