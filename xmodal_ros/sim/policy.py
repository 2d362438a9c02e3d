"""The scripted robot: one randomised episode of reaching, touching, grasping and what follows.

It aims where it believes the object to be, with a force it chose beforehand; whether the object is
held is up to the physics.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.motion import CLOSING_N, Motion
from xmodal_ros.sim.outcome import Attempt, Grasp
from xmodal_ros.sim.scene import SceneObject
from xmodal_ros.sim.skills import UP, PolicySettings, Skills

ACTIVITIES = (
    "idle", "reach", "press", "slide", "grasp", "lift", "shake", "place", "handover", "collision",
)  # fmt: skip


class Script(Skills):
    """Moves a cell's robot and person through one episode.

    Iterating gives the activity of each control step, whose targets are then set. A collision is
    no activity of the script: it runs into things while it reaches, and the physics tells when.
    """

    def __init__(self, cell: Cell, settings: PolicySettings, rng: np.random.Generator) -> None:
        super().__init__(cell, settings, rng)
        self.grasps: list[Grasp] = []

    def __iter__(self) -> Iterator[str]:
        target = self.cell.scene.objects[0]
        yield from _during("idle", self.hand.hold(self.rng.uniform(0.5, 1.2)))
        if self.rng.random() < self.settings.explore_share:
            yield from self._explore(target)
        if self.rng.random() < self.settings.collision_share:
            yield from _during("reach", self._collide())
        yield from self._pick(target)
        yield from _during("reach", self.home())
        yield from _during("idle", self.hand.hold(self.rng.uniform(0.5, 1.2)))

    def _explore(self, thing: SceneObject) -> Iterator[str]:
        """Press an object that is held in place and slide over it."""
        self.cell.clamp(thing.name, True)
        yield from _during("reach", self.approach(*self.aim(thing, error=0.3)))
        yield from _during("press", self.hand.close(self.rng.uniform(CLOSING_N, 8.0)))
        yield from _during("press", self.press())
        yield from _during("slide", self.slide())
        yield from _during("reach", self.release())
        self.cell.clamp(thing.name, False)
        yield from _during("reach", self.hand.move(self.hand.goal_position + 0.12 * UP))

    def _collide(self) -> Motion:
        person = self.cell.person
        if person is None or self.rng.random() < 0.5:
            yield from self.hit_post()
        else:
            yield from self.be_hit(person)
        yield from self.home()

    def _pick(self, thing: SceneObject) -> Iterator[str]:
        """Grasp, lift and shake; then set down what is held, or give it to the person."""
        rng, settings = self.rng, self.settings
        force = float(np.exp(rng.uniform(*np.log([settings.force_low_n, settings.force_high_n]))))
        aim = self.aim(thing, error=self.blunder())
        yield from _during("reach", self.approach(*aim))
        yield from _during("grasp", self.hand.close(force))
        yield from _during("grasp", self.hand.hold(rng.uniform(0.1, 0.3)))
        attempt = Attempt(self.cell, self.hand, thing.name, force)
        for activity, motion in (("lift", self.lift()), ("shake", self.shake())):
            for _ in motion:
                yield activity
                attempt.watch()
        grasp = attempt.judge()
        self.grasps.append(grasp)
        person = self.cell.person
        if grasp.success and person is not None and rng.random() < settings.handover_share:
            yield from _during("handover", self.hand_over(grasp.object, person))
        elif grasp.success:
            yield from _during("place", self.place(grasp.object))
        else:
            yield from _during("reach", self.release())


def _during(activity: str, motion: Motion) -> Iterator[str]:
    """Name each control step of a motion."""
    for _ in motion:
        yield activity
