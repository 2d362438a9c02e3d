"""Tells from the physics how a grasp ended: held, slipped or missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.motion import Hand

OUTCOMES = ("held", "slipped", "missed")


@dataclass(frozen=True)
class Grasp:
    """A grasp after lift and shake."""

    object: str
    outcome: str
    """One of `OUTCOMES`. Held is off the table and between the pads at the end; slipped was
    between them and is no longer; missed never was."""
    decision_ns: int
    """The fingers have closed, the lift has not begun: what is known then decides."""
    judged_ns: int
    force_n: float
    """Grip force per finger."""
    slid_m: float
    """How far the object went down in the grip, from the decision to the end or the loss."""

    @property
    def success(self) -> bool:
        """Whether the object was held."""
        return self.outcome == "held"


class Attempt:
    """A grasp between its decision and its end; made at the decision."""

    def __init__(self, cell: Cell, hand: Hand, aim: str, force_n: float) -> None:
        self._cell, self._hand, self._force_n = cell, hand, force_n
        caught = [thing.name for thing in cell.scene.objects if cell.pinched(thing.name)]
        self.object = caught[0] if caught else aim
        self._caught = bool(caught)
        self._decision_ns = cell.time_ns
        self._height_m = self._height()
        self._slid_m = 0.0

    def watch(self) -> None:
        """Look at the object while it is lifted and shaken, once per control step."""
        if self._cell.pinched(self.object):
            self._caught = True
            self._slid_m = self._height_m - self._height()

    def judge(self) -> Grasp:
        """How it ended, at the end of the shake."""
        held = self._cell.pinched(self.object) and not self._cell.on_table(self.object)
        return Grasp(
            object=self.object,
            outcome="held" if held else "slipped" if self._caught else "missed",
            decision_ns=self._decision_ns,
            judged_ns=self._cell.time_ns,
            force_n=self._force_n,
            slid_m=self._slid_m if self._caught else 0.0,
        )

    def _height(self) -> float:
        """Height of the object against the finger tips."""
        return float(np.subtract(self._cell.pose(self.object)[2], self._hand.position[2]))
