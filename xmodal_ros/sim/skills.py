"""What the robot can do with its hand: reach, press, slide, lift, shake, place, hand over.

Each skill is a motion, a generator with one item per control step, from wherever the hand is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.motion import Hand, Motion
from xmodal_ros.sim.person import Person
from xmodal_ros.sim.scene import AREA_M, SceneObject
from xmodal_ros.sim.world import POST_M

HOME_M = np.array([0.02, 0.0, 0.34])
LOWEST_M = 0.012
"""Least height of the finger tips' middle above the table."""
PALM_M = 0.052
"""Room between the finger tips' middle and the palm."""
HANDOVER_M = np.array([0.26, 0.0, 0.26])
UP = np.array([0.0, 0.0, 1.0])
BLUNDER = 5.0
"""How many times as badly a blunder aims."""


@dataclass(frozen=True)
class PolicySettings:
    """What the robot's script is drawn from."""

    force_low_n: float = setting(1.2, "weakest grip per finger", unit="N", low=0.5, high=40.0)
    force_high_n: float = setting(10.0, "strongest grip per finger", unit="N", low=0.5, high=40.0)
    aim_error_m: float = setting(
        0.008, "standard deviation of the aim in each direction", unit="m", low=0.0, high=0.1
    )
    blunder_share: float = setting(
        0.12, "share of grasps that aim five times as badly", low=0.0, high=1.0
    )
    aim_error_rad: float = setting(
        0.15, "standard deviation of the aim's yaw", unit="rad", low=0.0, high=1.0
    )
    explore_share: float = setting(
        0.5, "share of episodes that press and slide over a clamped object", low=0.0, high=1.0
    )
    collision_share: float = setting(0.3, "share of episodes with a collision", low=0.0, high=1.0)
    handover_share: float = setting(
        0.5, "share of held objects that a person, where there is one, takes", low=0.0, high=1.0
    )
    shakes: int = setting(
        1, "times that what is lifted is shaken, each in a direction and rhythm", low=1, high=100
    )

    def __post_init__(self) -> None:
        validate(self, "policy")
        if self.force_low_n > self.force_high_n:
            raise SettingsError(
                f"got {self.force_low_n}",
                where="policy.force_low_n",
                expected=f"at most policy.force_high_n, {self.force_high_n} N",
            )


class Skills:
    """The robot of a cell and what it can do."""

    def __init__(self, cell: Cell, settings: PolicySettings, rng: np.random.Generator) -> None:
        self.cell, self.settings, self.rng = cell, settings, rng
        self.hand = Hand(cell)

    def blunder(self) -> float:
        """Draw by how much an aim is worse than usual: five times for a blunder, else once."""
        return BLUNDER if self.rng.random() < self.settings.blunder_share else 1.0

    def aim(self, thing: SceneObject, *, error: float = 1.0) -> tuple[np.ndarray, float]:
        """Where `(3,)` m, and with which yaw, to close the fingers around an object.

        Args:
            thing: What to grasp.
            error: Multiplies the settings' error of the aim.
        """
        pose = self.cell.pose(thing.name)
        w, x, y, z = pose[3:]
        yaw = float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))
        yaw += error * self.rng.normal(0.0, self.settings.aim_error_rad)
        off = error * self.rng.normal(0.0, self.settings.aim_error_m, 3) * (1.0, 1.0, 0.7)
        place = pose[:3] + off + thing.shape.grip_height_m * UP
        place[2] = max(place[2], pose[2] + thing.shape.high_m - PALM_M, LOWEST_M)
        return place, (yaw + np.pi / 2) % np.pi - np.pi / 2

    def approach(self, place: np.ndarray, yaw: float) -> Motion:
        """Open, go above a place, metres `(3,)`, and down to it; `yaw` in radians."""
        self.hand.grip(-8.0)
        above = place + self.rng.uniform(0.10, 0.14) * UP
        yield from self.hand.move(above, yaw, speed=self.rng.uniform(0.2, 0.4))
        yield from self.hand.move(place, speed=self.rng.uniform(0.1, 0.2))

    def press(self) -> Motion:
        """Squeeze what is between the fingers a few times."""
        for _ in range(self.rng.integers(2, 5)):
            for force in (self.rng.uniform(8.0, 25.0), self.rng.uniform(2.0, 5.0)):
                self.hand.grip(force)
                yield from self.hand.hold(self.rng.uniform(0.15, 0.5))

    def slide(self) -> Motion:
        """Move the fingers over what they hold lightly; it has to be clamped."""
        self.hand.grip(self.rng.uniform(1.5, 5.0))
        middle, across = self.hand.goal_position, self.hand.goal_rotation[:, 0]
        for _ in range(self.rng.integers(2, 5)):
            goal = middle + across * self.rng.uniform(-0.012, 0.012)
            goal[2] = max(goal[2] + self.rng.uniform(-0.006, 0.010), LOWEST_M)
            yield from self.hand.move(goal, speed=self.rng.uniform(0.01, 0.06))

    def lift(self) -> Motion:
        """Go up, and wait until what hangs in the hand has calmed down."""
        up = self.hand.goal_position + self.rng.uniform(0.10, 0.18) * UP
        yield from self.hand.move(up, speed=self.rng.uniform(0.08, 0.3))
        yield from self.hand.hold(0.15)

    def shake(self) -> Motion:
        """Shake to and fro, up to 20 m/s², each time in a direction and rhythm of its own."""
        for _ in range(self.settings.shakes):
            direction = self.rng.standard_normal(3)
            direction *= self.rng.uniform(0.006, 0.02) / np.linalg.norm(direction)
            yield from self._swing(direction, self.rng.uniform(2.0, 5.0))

    def _swing(self, to: np.ndarray, hertz: float) -> Motion:
        """Go to and fro about where the hand is: `to` is the amplitude, metres `(3,)`."""

        def offset(t: float) -> np.ndarray:
            return to * np.sin(2 * np.pi * hertz * t) * min(1.0, 2 * t)

        yield from self.hand.wave(offset, self.rng.uniform(1.5, 2.5))

    def place(self, name: str) -> Motion:
        """Set an object down on a free place, as high as it hangs in the grip."""
        x, y = self._free_place(name)
        hanging = self._hanging(name)
        above = np.array([x, y, max(self.hand.position[2], hanging + 0.06)])
        yield from self.hand.move(above, speed=0.25)
        yield from self.hand.move(np.array([x, y, hanging]), speed=0.12)
        yield from self.hand.open(0.5)
        yield from self.hand.move(above + 0.05 * UP)

    def hand_over(self, name: str, person: Person) -> Motion:
        """Hold an object over the person's palm and let go."""
        spot = HANDOVER_M + self.rng.uniform((-0.05, -0.15, -0.04), (0.0, 0.15, 0.04))
        aside = self.rng.uniform((0.55, 0.15), (0.7, 0.3))
        person.walk_to(spot[0] + aside[0], spot[1] + aside[1])
        yield from self.hand.move(spot, speed=0.25)
        person.reach_to(spot - (self._hanging(name) + 0.012) * UP)
        yield from self._wait_for(person, 4.0)
        yield from self.hand.move(spot - 0.012 * UP, speed=0.05)
        yield from self.hand.open(0.6)
        yield from self.hand.move(spot + 0.10 * UP)

    def hit_post(self) -> Motion:
        """Run the side of the hand into the post."""
        # At this place the hand's side, 55 mm from its middle, is 5 cm from the post.
        before = np.array([POST_M[0], POST_M[1] - 0.135, self.rng.uniform(0.12, 0.22)])
        yield from self.hand.move(before, 0.0, speed=0.4)
        hit = before + (0.05 + self.rng.uniform(0.006, 0.02)) * np.array([0.0, 1.0, 0.0])
        yield from self.hand.move(hit, speed=self.rng.uniform(0.1, 0.4))
        yield from self.hand.hold(self.rng.uniform(0.05, 0.3))
        yield from self.hand.move(before, speed=0.3)

    def be_hit(self, person: Person) -> Motion:
        """Let the person's hand run into the robot's."""
        person.walk_to(0.8, float(self.rng.uniform(-0.1, 0.4)))
        side = self.hand.position + np.array([0.12, 0.0, 0.09])
        person.reach_to(side)
        yield from self._wait_for(person, 2.5)
        person.reach_to(side - (0.035 + self.rng.uniform(0.006, 0.02), 0.0, 0.0))
        yield from self.hand.hold(self.rng.uniform(0.2, 0.5))
        person.reach_to(None)
        yield from self.hand.hold(0.4)

    def release(self) -> Motion:
        """Let go and open wide."""
        yield from self.hand.open()

    def home(self) -> Motion:
        """Go back above the table."""
        yield from self.hand.move(HOME_M, 0.0, speed=0.3)

    def _wait_for(self, person: Person, at_most_s: float) -> Motion:
        """Stay until the person's hand is where it is going."""
        for _ in self.hand.hold(at_most_s):
            if person.arrived:
                return
            yield

    def _hanging(self, name: str) -> float:
        """Height of the finger tips above the lowest point of an object they hold upright."""
        shape = next(t.shape for t in self.cell.scene.objects if t.name == name)
        return float(self.hand.position[2] - self.cell.pose(name)[2] - shape.low_m)

    def _free_place(self, name: str) -> tuple[float, float]:
        """A place on the table away from the other objects, or the least crowded of twenty."""
        others = [self.cell.pose(t.name)[:2] for t in self.cell.scene.objects if t.name != name]
        low, high = np.transpose(AREA_M)
        places = self.rng.uniform(low, high, (20, 2))
        room = [min((float(np.hypot(*(p - o))) for o in others), default=1.0) for p in places]
        x, y = places[int(np.argmax(np.minimum(room, 0.14)))]
        return float(x), float(y)
