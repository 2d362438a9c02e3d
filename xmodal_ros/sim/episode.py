"""Runs one episode of a cell and gives what every sensor reads, with labels, in time order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.clocks import Clock, ClockSettings
from xmodal_ros.sim.imu import Imu, ImuSettings
from xmodal_ros.sim.motion import CONTROL_S
from xmodal_ros.sim.outcome import Grasp
from xmodal_ros.sim.policy import Script
from xmodal_ros.sim.skills import PolicySettings
from xmodal_ros.sim.world import TIMESTEP_S

IMU = "imu"
CLOCKS: dict[str, ClockSettings] = {
    "camera": ClockSettings(rate_hz=30.0),
    "camera_wrist": ClockSettings(rate_hz=10.0),
    "tactile_left": ClockSettings(rate_hz=25.0, jitter_s=0.001),
    "tactile_right": ClockSettings(rate_hz=25.0, jitter_s=0.001),
    IMU: ClockSettings(rate_hz=400.0, offset_s=0.001, jitter_s=0.00005, drops=0.0005),
    "lidar": ClockSettings(rate_hz=10.0, jitter_s=0.001),
}
POSES_HZ = 50.0
COLLISION_N = 2.0
"""Force between the robot's hull and its surroundings from which on it is a collision."""
COLLISION_S = 0.1
"""How long a collision lasts at least: contact comes and goes while things rebound."""
START_NS = 1_000_000_000
"""Stamp of the cell's time 0, so that no error of a clock makes a stamp negative."""


@dataclass(frozen=True)
class EpisodeSettings:
    """Everything an episode is drawn from, besides its scene and its rendering."""

    policy: PolicySettings = field(default_factory=PolicySettings)
    imu: ImuSettings = field(default_factory=ImuSettings)
    clocks: Mapping[str, ClockSettings] = field(default_factory=lambda: dict(CLOCKS))


@dataclass(frozen=True, slots=True)
class Reading:
    """One message: of a sensor, or a label.

    Labels hold from their stamp to the next one of their stream. "labels/activity" is one of
    `policy.ACTIVITIES`. "labels/grasp" is "success" or "fail" from the decision on and "" after
    the grasp; it is known only at the grasp's end, so its stamp lies before the readings that it
    follows. "poses/<object>" are `(7,)`, metres and quaternion (w, x, y, z). Stamps of labels and
    poses are true; a sensor's have its clock's error.
    """

    stamp_ns: int
    stream: str
    data: Any


class Mover(Protocol):
    """Moves the robot: sets its targets and gives the activity, once per control step."""

    grasps: list[Grasp]
    """Grasps that have ended."""

    def __iter__(self) -> Iterator[str]: ...


class Episode:
    """One episode; iterate it once.

    Args:
        cell: The scene, untouched as yet.
        read: Gives the data of a stream as the cell is now; the IMU is read here.
        streams: Names of the streams `read` knows, keys of `settings.clocks`.
        settings: What the robot does, and the sensors' errors.
        seed: Of everything that happens; the same gives the same readings.
        script: Who moves the robot; None for the randomised episode of `policy.Script`.

    Raises:
        SettingsError: a stream has no clock.
        SimulationDiverged: while iterating.
    """

    def __init__(
        self,
        cell: Cell,
        read: Callable[[str], Any],
        streams: tuple[str, ...],
        settings: EpisodeSettings,
        seed: int,
        script: Mover | None = None,
    ) -> None:
        for name in streams:
            if name not in settings.clocks:
                known = ", ".join(settings.clocks)
                raise SettingsError(
                    f"no clock for sensor '{name}'", where="episode", expected=f"one of {known}"
                )
        self._cell, self._read = cell, read
        # A generator for each: what a sensor draws does not change what the robot does.
        own, person, imu, *clocks = (
            np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4 + len(streams))
        )
        self._script: Mover = script or Script(cell, settings.policy, own)
        self._person_rng = person
        self._imu = Imu(cell, settings.imu, imu)
        self._clocks = {
            name: Clock(settings.clocks[name], rng)
            for name, rng in zip((IMU, *streams), clocks, strict=True)
        }
        self._collided_s = -np.inf

    @property
    def grasps(self) -> list[Grasp]:
        """Grasps that have ended so far; their times are the cell's, without `START_NS`."""
        return self._script.grasps

    @property
    def offsets_ns(self) -> dict[str, int]:
        """By how much each sensor's stamps are late."""
        return {name: clock.offset_ns for name, clock in self._clocks.items()}

    def __iter__(self) -> Iterator[Reading]:
        last, judged, poses_s = "", 0, 0.0
        for planned in self._script:
            activity = self._activity(planned)
            if activity != last:
                yield Reading(self._now_ns, "labels/activity", activity)
                last = activity
            if self._cell.time_s >= poses_s:
                poses_s += 1.0 / POSES_HZ
                for thing in self._cell.scene.objects:
                    pose = self._cell.pose(thing.name)
                    yield Reading(self._now_ns, f"poses/{thing.name}", pose)
            self._move_person()
            for _ in range(round(CONTROL_S / TIMESTEP_S)):
                self._cell.step()
                self._imu.follow()
                yield from self._due()
            for grasp in self.grasps[judged:]:
                outcome = "success" if grasp.success else "fail"
                yield Reading(START_NS + grasp.decision_ns, "labels/grasp", outcome)
                yield Reading(START_NS + grasp.judged_ns, "labels/grasp", "")
                judged += 1

    @property
    def _now_ns(self) -> int:
        return START_NS + self._cell.time_ns

    def _due(self) -> Iterator[Reading]:
        """Readings of the sensors whose moment has come, the longest due first."""
        now = self._cell.time_ns
        due = sorted((c.due_ns, name) for name, c in self._clocks.items() if c.due_ns <= now)
        for _, name in due:
            clock = self._clocks[name]
            data = self._imu.read() if name == IMU else self._read(name)
            yield Reading(START_NS + clock.stamp_ns, name, data)
            clock.advance()

    def _activity(self, planned: str) -> str:
        """What goes on: the plan, unless the robot runs into something."""
        if self._cell.collision_force() > COLLISION_N:
            self._collided_s = self._cell.time_s
        recently = self._cell.time_s - self._collided_s < COLLISION_S
        return "collision" if recently else planned

    def _move_person(self) -> None:
        person = self._cell.person
        if person is None:
            return
        if self._person_rng.random() < 0.3 * CONTROL_S:  # about every three seconds
            person.stroll(self._person_rng)
        person.move(CONTROL_S)
