"""A scene and its state: steps the physics and tells what the gel pads feel."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from xmodal_ros.sim.contact import Pad
from xmodal_ros.sim.person import Person
from xmodal_ros.sim.robot import FINGERS, HOME_RAD, OPEN_M
from xmodal_ros.sim.scene import Scene
from xmodal_ros.sim.world import build, classes

# MuJoCo writes its warnings into a file in the working folder unless it is given a way to tell.
mujoco.set_mju_user_warning(logging.getLogger(__name__).warning)

TOUCH_M = 0.0003
"""Nearer than this is touching: what slides over a pad jumps off it for milliseconds."""
SLIP_EVERY = 4
"""Steps between updates of the slip, which follows positions, so none is lost between."""


class SimulationDiverged(Exception):
    """The solver gave numbers that are no motion; the episode is to be skipped and counted."""

    def __init__(self, seed: int, time_s: float) -> None:
        self.seed, self.time_s = seed, time_s
        super().__init__(f"the simulation with seed {seed} diverged at {time_s:.3f} s")


class Cell:
    """A scene that moves; nothing is rendered here.

    Raises:
        SettingsError: a scene that cannot be.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.model: Any = build(scene)
        self.data: Any = mujoco.MjData(self.model)
        self.classes = classes(self.model)
        self.surfaces = self._surfaces()
        self.person = Person(self.model, self.data, scene.person_m) if scene.person else None
        self._pads = [_PadState(self.model, self.data, finger) for finger in FINGERS]
        for number, angle in enumerate(HOME_RAD, start=1):
            self.data.joint(f"joint_{number}").qpos[0] = angle
            self.data.actuator(f"joint_{number}").ctrl[0] = angle
        for finger in FINGERS:
            self.data.joint(f"finger_{finger}").qpos[0] = OPEN_M
        mujoco.mj_forward(self.model, self.data)

    @property
    def time_s(self) -> float:
        """Time since the cell was made."""
        return float(self.data.time)

    @property
    def time_ns(self) -> int:
        """The same, in whole nanoseconds."""
        return round(self.data.time * 1e9)

    def step(self) -> None:
        """Go on by one step of `world.TIMESTEP_S`.

        Raises:
            SimulationDiverged: the state is no motion any more.
        """
        mujoco.mj_step(self.model, self.data)
        if round(self.data.time / self.model.opt.timestep) % SLIP_EVERY == 0:
            # MuJoCo resets a state that is not finite and warns. Below that, nothing here moves
            # at 1000 m/s or turns at 1000 rad/s.
            if self.data.warning.number.any() or np.abs(self.data.qvel).max() > 1000.0:
                raise SimulationDiverged(self.scene.seed, self.time_s)
            for pad in self._pads:
                pad.follow()

    def pads(self) -> Mapping[str, Pad]:
        """What the pads feel now, by finger."""
        return {finger: pad.read() for finger, pad in zip(FINGERS, self._pads, strict=True)}

    def pinched(self, name: str) -> bool:
        """Whether both pads touch an object."""
        body = self.model.body(name).id
        return all(pad.touches(body) for pad in self._pads)

    def on_table(self, name: str) -> bool:
        """Whether an object touches the table or anything that is fixed."""
        body = self.model.body(name).id
        bodies = self.model.geom_bodyid[self.data.contact.geom]
        return bool(((bodies == body).any(axis=1) & (bodies == 0).any(axis=1)).any())

    def pose(self, name: str) -> np.ndarray:
        """Pose of an object `(7,)`: position in metres, quaternion (w, x, y, z).

        It is that of the geometry as rays meet it; the joints are one step ahead of it.
        """
        body = self.data.body(name)
        return np.concatenate([body.xpos, body.xquat])

    def clamp(self, name: str, hold: bool) -> None:
        """Hold an object where it is, as a vice would, or let it go."""
        clamp = self.model.equality(f"clamp:{name}")
        if hold:
            self.model.eq_data[clamp.id, 3:10] = self.pose(name)
        self.data.eq_active[clamp.id] = hold

    def collision_force(self) -> float:
        """N between the robot's hull and the surroundings or the person; objects do not count."""
        total = 0.0
        for number, pair in enumerate(self.data.contact.geom):
            kinds = {int(self.model.geom_contype[g]) for g in pair}
            if kinds in ({1, 4}, {4, 8}):
                total += _force(self.model, self.data, number)[0]
        return total

    def _surfaces(self) -> dict[int, Any]:
        """Material instance of each geom that has one."""
        made = {self.model.geom(name).id: s for name, s in self.scene.surfaces.items()}
        for thing in self.scene.objects:
            for number in range(len(thing.shape.parts)):
                made[self.model.geom(f"{thing.name}/{number}").id] = thing.surface
        return made


def _force(model: Any, data: Any, contact: int) -> np.ndarray:
    """Force of a contact `(3,)` N in its frame, whose first axis is the normal."""
    wrench = np.zeros(6)
    mujoco.mj_contactForce(model, data, contact, wrench)
    return wrench[:3]


class _PadState:
    """Contacts of one pad, and its slip over time."""

    def __init__(self, model: Any, data: Any, finger: str) -> None:
        self._model, self._data = model, data
        self._geom = model.geom(f"pad_{finger}").id
        self._body = model.body(f"pad_{finger}").id
        self._site = model.site(f"pad_{finger}").id
        self._shear = [int(model.joint(f"gel_{finger}_{axis}").qposadr[0]) for axis in "xy"]
        self._slip = np.zeros(2)
        # The body touched, and one of its points in its own frame and in the pad's.
        self._last: tuple[int, np.ndarray, np.ndarray] | None = None

    def follow(self) -> None:
        """Add how far the body that touches has slid along the pad since the last call."""
        near = self._near()
        if not near:
            self._last, self._slip = None, np.zeros(2)
            return
        if self._last is not None:
            body, in_body, in_pad = self._last
            moved = self._local(self._body, self._world(body, in_body)) - in_pad
            self._slip = self._slip + moved[:2]
        body = int(self._model.geom_bodyid[near[0][1]])
        point = self._data.contact.pos[near[0][0]]
        self._last = body, self._local(body, point), self._local(self._body, point)

    def read(self) -> Pad:
        """Forces and places now."""
        data, near = self._data, self._near()
        rotation = data.site_xmat[self._site].reshape(3, 3).copy()
        total = np.zeros(3)
        for contact, _ in near:
            # A contact's frame points from its first geom to its second: turn it onto the pad.
            sign = 1.0 if data.contact.geom[contact, 1] == self._geom else -1.0
            force = _force(self._model, data, contact)
            total += sign * rotation.T @ (force @ data.contact.frame[contact].reshape(3, 3))
        return Pad(
            position=data.site_xpos[self._site].copy(),
            rotation=rotation,
            normal_force=max(0.0, -float(total[2])),
            shear_force=total[:2],
            shear=data.qpos[self._shear].copy(),
            slip=self._slip.copy(),
            geoms=self._geoms({geom for _, geom in near}),
        )

    def touches(self, body: int) -> bool:
        """Whether a body touches the pad."""
        return any(
            self._model.geom_bodyid[geom] == body and self._data.contact.dist[contact] < TOUCH_M
            for contact, geom in self._near()
        )

    def _near(self) -> list[tuple[int, int]]:
        """Contacts of the pad, those without force too, and the other geom of each."""
        pairs = self._data.contact.geom
        first, second = pairs[:, 0] == self._geom, pairs[:, 1] == self._geom
        others = np.where(first, pairs[:, 1], pairs[:, 0])
        return [(int(n), int(others[n])) for n in np.flatnonzero(first | second)]

    def _geoms(self, touched: set[int]) -> tuple[int, ...]:
        """These geoms and those that are fixed to them, except what belongs to the world."""
        bodies = {int(self._model.geom_bodyid[geom]) for geom in touched} - {0}
        parts = np.flatnonzero(np.isin(self._model.geom_bodyid, list(bodies)))
        return tuple(sorted({*touched, *parts.tolist()}))

    def _local(self, body: int, point: np.ndarray) -> np.ndarray:
        turn = self._data.xmat[body].reshape(3, 3)
        local: np.ndarray = turn.T @ (point - self._data.xpos[body])
        return local

    def _world(self, body: int, point: np.ndarray) -> np.ndarray:
        turn = self._data.xmat[body].reshape(3, 3)
        world: np.ndarray = self._data.xpos[body] + turn @ point
        return world
