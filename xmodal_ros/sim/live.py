"""The cell without end: one episode or object after the other, as messages in time order."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.cell import Cell, SimulationDiverged
from xmodal_ros.sim.commands import EXACT, Commands
from xmodal_ros.sim.episode import IMU, START_NS, Episode
from xmodal_ros.sim.logbook import log
from xmodal_ros.sim.rig import Rig
from xmodal_ros.sim.scene import draw_scene
from xmodal_ros.sim.settings import SimSettings
from xmodal_ros.sim.topics import TOPICS, Encoder, Message

CHANGE_NS = 500_000_000
"""How long the cell stands still while objects are changed. The sensors are silent meanwhile, so
that no error of a clock puts a stamp before the last one."""


class Timed(NamedTuple):
    """A message and when it is to be published, in nanoseconds since the start."""

    time_ns: int
    message: Message


class Live:
    """A cell that goes on until nobody asks for messages any more.

    The sensors stay the same ones from object to object; the errors of their clocks and of the IMU
    are drawn anew.

    Args:
        settings: What it is made with.
        streams: Names of the sensors that are used.
        seed: Of everything; the same gives the same messages.
        autonomous: Whether it runs its own script, with new objects after each episode; else
            `commands` moves the arm.
        aim_errors: Whether commands aim as badly as the script; else they aim without error.
        epoch: Gives the stamp of the start in ns; asked once, when the cell is set up.
        warn: Called with what a user should know.

    Raises:
        SettingsError: unknown sensor, material or shape.
    """

    def __init__(
        self,
        settings: SimSettings,
        streams: Collection[str],
        seed: int,
        *,
        autonomous: bool,
        aim_errors: bool = False,
        epoch: Callable[[], int],
        warn: Callable[[str], object],
    ) -> None:
        unknown = [name for name in streams if name not in TOPICS]
        if unknown or not streams:
            raise SettingsError(
                f"no sensor '{unknown[0]}'" if unknown else "no sensor is named",
                where="streams",
                expected="some of " + ", ".join(TOPICS),
            )
        wrist = replace(settings.rig.camera_wrist, enabled="camera_wrist" in streams)
        settings = replace(settings, rig=replace(settings.rig, camera_wrist=wrist))
        self._settings, self._streams, self._seed = settings, streams, seed
        self._autonomous, self._warn = autonomous, warn
        self._aim = settings.episode.policy if aim_errors else EXACT
        self.episodes = 0
        """Objects so far, the one that is there now too."""
        self.diverged = 0
        """Objects that were given up because the solver diverged."""
        self._past: Counter[str] = Counter()
        self._waiting: list[tuple[int, int, Message]] = []
        self._numbers = itertools.count()  # messages of one time keep their order
        self._begin_ns = self._last_ns = 0
        self._prepare()
        self.epoch_ns = epoch()
        self._begin()

    @property
    def outcomes(self) -> Counter[str]:
        """Grasps that have ended, by how."""
        return self._past + Counter(grasp.outcome for grasp in self._episode.grasps)

    def describe(self) -> str:
        """The objects that are there now, for a person."""
        return "; ".join(
            f"{thing.name}: {thing.shape.name} of {thing.surface.material.name}, "
            f"{thing.mass_kg:.2f} kg"
            for thing in self._cell.scene.objects
        )

    def next(self) -> Timed:
        """The next message; its time is not before the last one's."""
        # What is still to come happens later than the cell's time, and none is earlier than that.
        while not self._waiting or self._waiting[0][0] > self._begin_ns + self._cell.time_ns:
            try:
                time_ns, message = next(self._log)
            except StopIteration:  # noqa: PERF203, that is once in 20 s
                self.change()
            except SimulationDiverged as error:
                self.diverged += 1
                self._warn(f"{error}: it is given up for another object")
                self.change()
            else:
                entry = (time_ns - self.epoch_ns, next(self._numbers), message)
                heapq.heappush(self._waiting, entry)
        time_ns, _, message = heapq.heappop(self._waiting)
        self._last_ns = max(self._last_ns, time_ns)  # a grasp's label is known late
        return Timed(self._last_ns, message)

    def change(self) -> None:
        """Put other objects into the cell; what the arm does is given up."""
        self._past = self.outcomes
        self._begin_ns += self._cell.time_ns + CHANGE_NS
        self._prepare()
        self._begin()

    def _prepare(self) -> None:
        """Draw a cell and put the sensors to it."""
        seed = int(np.random.SeedSequence([self._seed, self.episodes]).generate_state(1)[0])
        rng = np.random.default_rng(seed)
        self._cell = Cell(draw_scene(seed, self._settings.scene, rng))
        # The units follow from this generator's state, their noise from how often it has spawned.
        units = np.random.default_rng(self._seed)
        units.spawn(len(TOPICS) * self.episodes)
        rig = Rig(self._cell, units, self._settings.rig)
        self._encoder = Encoder(rig, self._settings.topics)
        self.commands = None if self._autonomous else Commands(self._cell, rng, self._aim)
        self._episode = Episode(
            self._cell,
            rig.read,
            tuple(name for name in rig.streams if name in self._streams),
            self._settings.episode,
            seed,
            self.commands,
        )
        self.episodes += 1

    def _begin(self) -> None:
        """Let the episode's time 0 be now."""
        begin_ns = self.epoch_ns + self._begin_ns - START_NS
        self._log = self._chosen(log(self._cell, self._episode, self._encoder, begin_ns))

    def _chosen(self, entries: Iterator[tuple[int, Message]]) -> Iterator[tuple[int, Message]]:
        """Without the IMU where it is not used: an episode always reads it."""
        unused = () if IMU in self._streams else (TOPICS[IMU],)
        return (entry for entry in entries if entry[1].topic not in unused)
