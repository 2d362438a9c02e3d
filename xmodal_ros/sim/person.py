"""The person at the cell: a body that walks along the table, and one arm that reaches in.

They are moved, not simulated: what the hand meets is pushed, the hand is not.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from xmodal_ros.sim.robot import GEOM

ARM_M = 0.62
"""From shoulder to palm."""
SHOULDER_M = (-0.05, -0.22, 0.55)
"""Shoulder in the torso's frame, which looks along -x and stands at table height."""
REST_M = (-0.1, -0.3, 0.05)
"""Where the hand hangs, in the torso's frame."""
PALM_HALF_M = (0.055, 0.055, 0.012)

WALK_M_S, HAND_M_S = 0.6, 1.1
PARTS = ("person", "person_arm", "palm")
"""Names of the bodies."""

SKIN, CLOTHES = (0.80, 0.60, 0.48, 1.0), (0.20, 0.28, 0.45, 1.0)


def add_person(spec: Any, place_m: tuple[float, float]) -> None:
    """Add torso, head, legs, arm and hand to a world's `MjSpec` as bodies moved from outside."""
    place = np.array([*place_m, 0.0])
    torso = spec.worldbody.add_body(name="person", mocap=True, pos=place)
    untouched: Any = {"group": 1, "contype": 0, "conaffinity": 0}
    torso.add_geom(
        name="torso", type=GEOM["capsule"], fromto=[0, 0, 0.15, 0, 0, 0.55], size=[0.16, 0, 0],
        rgba=CLOTHES, **untouched,
    )  # fmt: skip
    torso.add_geom(
        name="head", type=GEOM["ellipsoid"], size=[0.1, 0.08, 0.12], pos=[0, 0, 0.85],
        rgba=SKIN, **untouched,
    )  # fmt: skip
    for name, side in (("leg_left", 0.1), ("leg_right", -0.1)):
        torso.add_geom(
            name=name, type=GEOM["capsule"], fromto=[0, side, 0.05, 0, side, -0.7],
            size=[0.08, 0, 0], rgba=CLOTHES, **untouched,
        )  # fmt: skip
    arm = spec.worldbody.add_body(name="person_arm", mocap=True)
    arm.add_geom(
        name="sleeve", type=GEOM["capsule"], fromto=[0, 0, 0.06, 0, 0, ARM_M], size=[0.04, 0, 0],
        rgba=CLOTHES, **untouched,
    )  # fmt: skip
    palm = spec.worldbody.add_body(name="palm", mocap=True, pos=place + REST_M)
    palm.add_geom(
        name="palm", type=GEOM["box"], size=PALM_HALF_M, rgba=SKIN, group=1, contype=8,
        conaffinity=2 | 4, friction=[0.8, 0.01, 0.001], condim=4,
    )  # fmt: skip


class Person:
    """Moves the person of a cell: `walk_to` and `reach_to` set goals, `move` goes there."""

    def __init__(self, model: Any, data: Any, place_m: tuple[float, float]) -> None:
        self._data = data
        self._ids = {n: int(model.body_mocapid[model.body(n).id]) for n in PARTS}
        self.place = np.array([*place_m, 0.0])
        self._place_goal = self.place.copy()
        self._hand_goal: np.ndarray | None = None
        self.hand = self.place + REST_M
        self.move(0.0)

    def walk_to(self, x: float, y: float) -> None:
        """Go to a place on the floor, metres in the world."""
        self._place_goal = np.array([x, y, 0.0])

    def stroll(self, rng: np.random.Generator) -> None:
        """Walk to some place along the table, unless a hand is reached out."""
        if self._hand_goal is None:
            self.walk_to(float(rng.uniform(0.95, 1.3)), float(rng.uniform(-0.8, 0.8)))

    def reach_to(self, point: np.ndarray | None) -> None:
        """Hold the palm's upper side at a point of the world `(3,)`; None to draw it back."""
        self._hand_goal = None if point is None else np.asarray(point) - (0, 0, PALM_HALF_M[2])

    @property
    def arrived(self) -> bool:
        """Whether the hand is where it is going."""
        return bool(np.linalg.norm(self.hand - self._goal) < 1e-6)

    @property
    def _goal(self) -> np.ndarray:
        return self.place + REST_M if self._hand_goal is None else self._hand_goal

    def move(self, seconds: float) -> None:
        """Let time pass: the body walks and the hand goes towards their goals."""
        self.place = _towards(self.place, self._place_goal, WALK_M_S * seconds)
        self.hand = _towards(self.hand, self._goal, HAND_M_S * seconds)
        shoulder = self.place + SHOULDER_M
        along = (shoulder - self.hand) / max(float(np.linalg.norm(shoulder - self.hand)), 1e-6)
        position, turn = self._data.mocap_pos, self._data.mocap_quat
        position[self._ids["person"]], position[self._ids["palm"]] = self.place, self.hand
        position[self._ids["person_arm"]] = self.hand
        quat = np.zeros(4)
        mujoco.mju_quatZ2Vec(quat, along)
        turn[self._ids["person_arm"]] = quat


def _towards(at: np.ndarray, goal: np.ndarray, distance: float) -> np.ndarray:
    way = goal - at
    length = float(np.linalg.norm(way))
    return goal.copy() if length <= distance else at + way * (distance / length)
