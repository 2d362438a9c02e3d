"""Count how grasps of the simulated cell end, by how much grip there was to spare.

python tools/grasp_outcomes.py [EPISODES [FIRST_SEED]]    write docs/results/grasp_outcomes.json

Physics alone, nothing is rendered. The grip to spare is twice the grip force times the friction,
over the object's weight: below 1 two flat pads cannot carry the object, whatever else goes right.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout that is not installed

from xmodal_ros.sim.cell import Cell, SimulationDiverged  # noqa: E402
from xmodal_ros.sim.episode import Episode, EpisodeSettings  # noqa: E402
from xmodal_ros.sim.outcome import OUTCOMES, Grasp  # noqa: E402
from xmodal_ros.sim.scene import SceneSettings, draw_scene  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "grasp_outcomes.json"
BOUNDS = (0.0, 0.5, 1.0, 1.5, 2.5, 5.0, float("inf"))
GRAVITY = 9.81


def main(episodes: int = 150, first_seed: int = 0) -> None:
    """Play the episodes and write the counts."""
    total: Counter[str] = Counter()
    rows = [Counter[str]() for _ in BOUNDS[1:]]
    diverged, seconds = [], 0.0
    for seed in track(range(first_seed, first_seed + episodes), "episodes"):
        cell = Cell(draw_scene(seed, SceneSettings(), np.random.default_rng(seed)))
        episode = Episode(cell, str, (), EpisodeSettings(), seed)
        try:
            for _ in episode:
                pass
        except SimulationDiverged:
            diverged.append(seed)
            continue
        seconds += cell.time_s
        for grasp in episode.grasps:
            total[grasp.outcome] += 1
            rows[int(np.searchsorted(BOUNDS, _spare(cell, grasp))) - 1][grasp.outcome] += 1
    results = {
        "episodes": episodes,
        "first_seed": first_seed,
        "diverged_seeds": diverged,
        "mean_duration_s": round(seconds / max(1, episodes - len(diverged)), 1),
        "outcomes": {name: total[name] for name in OUTCOMES},
        "held_share": round(total["held"] / max(1, sum(total.values())), 3),
        "by_grip_to_spare": [
            {"from": low, "to": high if np.isfinite(high) else None}
            | {name: row[name] for name in OUTCOMES}
            for low, high, row in zip(BOUNDS, BOUNDS[1:], rows, strict=False)
        ],
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(RESULTS.read_text())


def _spare(cell: Cell, grasp: Grasp) -> float:
    """Friction of both pads over the object's weight."""
    thing = next(t for t in cell.scene.objects if t.name == grasp.object)
    return 2.0 * grasp.force_n * thing.friction / (thing.mass_kg * GRAVITY)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
