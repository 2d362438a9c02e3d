"""Data sets of simulated episodes: one recording each, a split, and what is in them.

A folder holds `episode_<number>/` (rosbag2, MCAP), `split.csv` (no object, texture or gel unit is
in two parts), `settings.yaml` (for `xmodal eval --settings`) and `dataset.json`. The same seed
gives the same bytes, whatever the number of processes and interruptions.
"""

from __future__ import annotations

import json
import multiprocessing
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from threadpoolctl import threadpool_limits

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.splits import write_split
from xmodal_ros.sim.cell import Cell, SimulationDiverged
from xmodal_ros.sim.episode import Episode
from xmodal_ros.sim.logbook import log, write
from xmodal_ros.sim.rig import CAMERAS, Rig
from xmodal_ros.sim.scene import SceneObject, draw_scene
from xmodal_ros.sim.settings import SimSettings
from xmodal_ros.sim.topics import Encoder, stream_settings
from xmodal_ros.sim.unfinished import begun, facts_of, finish, keep

EPOCH_NS = 1_700_000_000_000_000_000
EPISODE_NS = 1_000_000_000_000
"""Episodes are so far apart, that no two recordings share a stamp."""
NAME = "episode_{:06d}"
PARTS = {"train": 0.7, "validation": 0.15, "test": 0.15}
NOTE = "Simulated by xmodal_ros. Every label is what the simulation did, not what somebody judged."


@dataclass(frozen=True)
class Facts:
    """What is in one episode."""

    name: str
    seed: int
    seconds: float
    """Length; of a diverged one, the time at which it diverged."""
    diverged: bool = False
    objects: tuple[dict[str, Any], ...] = ()
    """What stands on the table: `id` of the shape, material, texture, and what labels it."""
    textures: tuple[str, ...] = ()
    """Of everything in the scene, the table too."""
    gel_units: tuple[str, ...] = ()
    grasps: tuple[dict[str, Any], ...] = ()
    """What became of each grasp; times are from the episode's start."""
    offsets_ns: dict[str, int] = field(default_factory=dict)
    """By how much each sensor's stamps are late."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Facts:
        """From what `asdict` gave, as JSON."""
        facts: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**facts)

    @property
    def things(self) -> tuple[str, ...]:
        """What must not be in two parts of a split."""
        return (*(thing["id"] for thing in self.objects), *self.textures, *self.gel_units)


def make_dataset(
    out: Path,
    episodes: int,
    seed: int,
    settings: SimSettings,
    *,
    camera: str = "camera",
    jobs: int = 1,
    listener: Callable[[Facts, bool], None] = lambda facts, made: None,
) -> list[Facts]:
    """Make a data set.

    Args:
        out: Folder to make; one whose making was interrupted is finished.
        episodes: How many; one that diverges is told, and not replaced.
        seed: Of everything.
        settings: What episodes are made with.
        camera: Which camera `settings.yaml` names as the stream "camera"; "camera_wrist" is the
            one at the hand, which sees what is touched.
        jobs: Processes.
        listener: Called with each episode's facts, and whether it was made now.

    Raises:
        DataError: `out` exists, and is not what this begins with, or another process makes it.
        SettingsError: unknown material, shape or camera.
    """
    if camera not in CAMERAS:
        raise SettingsError(
            f"no camera '{camera}'", where="camera", expected="one of " + ", ".join(CAMERAS)
        )
    request = {"episodes": episodes, "seed": seed, "camera": camera, "settings": asdict(settings)}
    with begun(out, request) as folder:
        made = _make_episodes(folder, episodes, seed, settings, jobs, listener)
        _write_split(out, [facts for facts in made if not facts.diverged], seed)
        rates_hz = {name: clock.rate_hz for name, clock in settings.episode.clocks.items()}
        named = stream_settings(settings.topics, camera, rates_hz)
        (out / "settings.yaml").write_text(yaml.safe_dump(named))
        contents = {
            "note": NOTE,
            "seed": seed,
            "settings": asdict(settings),
            "diverged": sum(facts.diverged for facts in made),
            "episodes": [asdict(facts) for facts in made],
        }
        (out / "dataset.json").write_text(json.dumps(contents, indent=1) + "\n")
        finish(out)
    return made


def _make_episodes(
    folder: Path,
    episodes: int,
    seed: int,
    settings: SimSettings,
    jobs: int,
    listener: Callable[[Facts, bool], None],
) -> list[Facts]:
    """Facts of all episodes, by number; those that are there already are not made again."""
    out = folder.parent
    found = {number: facts_of(out, NAME.format(number)) for number in range(episodes)}
    made = [Facts.from_mapping(facts) for facts in found.values() if facts]
    for facts in made:
        listener(facts, False)
    work = [(folder, number, seed, settings) for number, facts in found.items() if not facts]
    for facts in _episodes(work, jobs):
        made.append(facts)
        listener(facts, True)
    return sorted(made, key=lambda facts: facts.name)


def _episodes(work: list[tuple[Path, int, int, SimSettings]], jobs: int) -> Iterator[Facts]:
    """Facts of each episode as it is done, in this process or in several."""
    if jobs == 1:
        yield from (_episode(*one) for one in work)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=use_one_thread) as pool:
        try:
            for done in as_completed([pool.submit(_episode, *one) for one in work]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _episode(folder: Path, number: int, seed: int, settings: SimSettings) -> Facts:
    """Make an episode in the folder of what is unfinished, and put it into the data set."""
    facts = make_episode(folder, number, seed, settings)
    if not facts.diverged:
        keep(folder, facts.name)
    return facts


def make_episode(out: Path, number: int, seed: int, settings: SimSettings) -> Facts:
    """Simulate one episode and write `out/episode_<number>`; nothing is written of a diverged one.

    Raises:
        DataError: the folder exists.
        SettingsError: unknown material or shape.
    """
    name = NAME.format(number)
    episode_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    rng = np.random.default_rng(episode_seed)
    cell = Cell(draw_scene(episode_seed, settings.scene, rng))
    rig = Rig(cell, rng, settings.rig)
    episode = Episode(cell, rig.read, rig.streams, settings.episode, episode_seed)
    encoder = Encoder(rig, settings.topics)
    try:
        entries = list(log(cell, episode, encoder, EPOCH_NS + number * EPISODE_NS))
    except SimulationDiverged as error:
        return Facts(name, episode_seed, error.time_s, diverged=True)
    facts = Facts(
        name,
        episode_seed,
        cell.time_s,
        objects=tuple(_describe(thing) for thing in cell.scene.objects),
        textures=tuple(sorted({surface.texture_id for surface in cell.surfaces.values()})),
        gel_units=tuple(unit.id for unit in rig.gel_units.values()),
        grasps=tuple(asdict(grasp) for grasp in episode.grasps),
        offsets_ns=episode.offsets_ns,
    )
    metadata = {"note": NOTE, "facts": json.dumps(asdict(facts))}
    write(out / name, entries, metadata)
    return facts


def _write_split(out: Path, facts: list[Facts], seed: int) -> None:
    """Put episodes that share a thing into one group, and groups into parts."""
    group = _groups(facts)
    names = sorted(set(group.values()))
    order = np.random.default_rng(seed).permutation(len(names))
    limits = np.cumsum(list(PARTS.values())) * len(names)
    places = np.searchsorted(limits, np.arange(len(names)) + 0.5)
    parts = {names[k]: list(PARTS)[place] for k, place in zip(order, places, strict=True)}
    rows = [(f"{name}/{name}.mcap", g, parts[g]) for name, g in group.items()]
    write_split(out / "split.csv", out, rows)


def _groups(facts: list[Facts]) -> dict[str, str]:
    """Of each episode's name, the first episode that it is tied to by things they share."""
    leader: dict[str, str] = {}

    def first(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    owner: dict[str, str] = {}
    for episode in facts:
        for thing in episode.things:
            pair = first(owner.setdefault(thing, episode.name)), first(episode.name)
            leader[max(pair)] = min(pair)
    return {episode.name: first(episode.name) for episode in facts}


def _describe(thing: SceneObject) -> dict[str, Any]:
    return {
        "id": f"{thing.shape.name}-{zlib.crc32(repr(thing.shape).encode()):08x}",
        "name": thing.name,
        "material": thing.surface.material.name,
        "texture": thing.surface.texture_id,
        "hardness": thing.surface.hardness,
        "roughness_m": thing.surface.roughness_m,
        "friction": thing.friction,
        "mass_kg": thing.mass_kg,
    }


def use_one_thread() -> None:
    """Processes, not threads, share the machine."""
    cv2.setNumThreads(1)
    threadpool_limits(1)
