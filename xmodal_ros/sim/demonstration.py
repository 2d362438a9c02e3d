"""The demonstration recording: half a minute of every sensor, small enough to be sent around."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.dataset import EPOCH_NS, NOTE
from xmodal_ros.sim.episode import Episode
from xmodal_ros.sim.logbook import Entry, log, write
from xmodal_ros.sim.rig import Rig
from xmodal_ros.sim.scene import draw_scene
from xmodal_ros.sim.settings import SimSettings, sim_settings
from xmodal_ros.sim.topics import Encoder, stream_settings

FIRST_SEED = 13
"""From here on, the first episodes are taken that show what they have to. Contact is chaotic: on a
machine that rounds otherwise it may be others."""
LONGEST_S = 14.5
PAUSE_NS = 2_100_000_000
"""No clip of a model mixes two episodes."""
SMALL: dict[str, dict[str, Any]] = {
    "camera": {"width": 128, "height": 128},
    "camera_wrist": {"width": 128, "height": 128},
    "gel": {"width": 160, "height": 120},
    "lidar": {"rings": 16, "steps": 64},
    "camera_clock": {"rate_hz": 15.0},
    "camera_wrist_clock": {"rate_hz": 5.0},
    "imu_clock": {"rate_hz": 200.0},
    "lidar_clock": {"rate_hz": 5.0},
    "topics": {"jpeg_quality": 60},
}
"""What differs from a data set, so that the recording is below 8 MB."""

RAW = sim_settings(
    {
        **SMALL,
        "topics": {"jpeg_quality": 0},
        "camera": {"width": 64, "height": 64},
        "camera_wrist_clock": {"rate_hz": 10.0},
        "lidar": {"rings": 64, "steps": 1024},
        "lidar_clock": {"rate_hz": 1.0},
    }
)
"""With raw images, as drivers send them, and scans as fine as those that bundles learned from."""


def record_demonstration(
    out: Path, settings: SimSettings | None = None, camera: str = "camera"
) -> Path:
    """Write the demonstration recording; on one machine, always the same bytes.

    Args:
        out: Folder to make; `settings.yaml` in it is for `xmodal eval --settings`.
        settings: Other than the small ones.
        camera: Which camera `settings.yaml` names as the stream "camera".

    Raises:
        DataError: `out` exists.
    """
    settings = settings or sim_settings(SMALL)
    entries: list[Entry] = []
    epoch_ns = EPOCH_NS
    seeds = _seeds(settings)
    for seed in seeds:
        cell = Cell(draw_scene(seed, settings.scene, np.random.default_rng(seed)))
        rig = Rig(cell, np.random.default_rng(0), settings.rig)  # the same sensors in both
        episode = Episode(cell, rig.read, rig.streams, settings.episode, seed)
        entries += log(cell, episode, Encoder(rig, settings.topics), epoch_ns)
        epoch_ns += cell.time_ns + PAUSE_NS
    sources = {"all": {"source": "simulated", "licence": "CC0-1.0", "items": seeds}}
    metadata = {"note": NOTE, "sources": json.dumps(sources)}
    write(out, entries, metadata)
    rates_hz = {name: clock.rate_hz for name, clock in settings.episode.clocks.items()}
    named = stream_settings(settings.topics, camera, rates_hz)
    (out / "settings.yaml").write_text(yaml.safe_dump(named))
    return out


def _seeds(settings: SimSettings) -> list[int]:
    """Of an episode in which an object is explored and lost, and of one in which it is held."""
    found: dict[bool, int] = {}
    for seed in itertools.count(FIRST_SEED):
        cell = Cell(draw_scene(seed, settings.scene, np.random.default_rng(seed)))
        episode = Episode(cell, str, (), settings.episode, seed)  # without sensors, that is fast
        activities = {r.data for r in episode if r.stream == "labels/activity"}
        held = any(grasp.success for grasp in episode.grasps)
        if cell.time_s < LONGEST_S and (held or "slide" in activities):
            found.setdefault(held, seed)
        if len(found) == 2:
            break
    return [found[False], found[True]]
