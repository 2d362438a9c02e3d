"""Picks with every strategy, the same objects and forces for all; goes on where it was stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rclpy
from rich.console import Console

from xmodal_ros.core.errors import DataError
from xmodal_ros.demo.picking.behaviours import Assess, Pick
from xmodal_ros.demo.picking.film import Film
from xmodal_ros.demo.picking.hand import ObjectsChanged
from xmodal_ros.demo.picking.robot import PERCEPTION, Robot, RobotError, robot
from xmodal_ros.demo.picking.settings import PickSettings
from xmodal_ros.demo.picking.table import NAME, write_results
from xmodal_ros.demo.picking.tree import STRATEGIES, Strategy, pick_tree
from xmodal_ros.demo.processes import end_on_signals, own_graph
from xmodal_ros.progress import progress_bar
from xmodal_ros.runtime.bundle import Bundle

PER_ROBOT = 20
"""Picks with the same sensors; then comes another robot."""
REQUEST = "request.json"


def run(
    out: Path,
    strategies: Sequence[str],
    picks: int,
    seed: int,
    settings: PickSettings,
    bundle: str,
    console: Console,
) -> None:
    """Pick with each strategy, and write `picking.json`, `.md` and `.svg`.

    Args:
        out: Folder for the results, and for a line of JSON per pick; one that was begun with the
            same settings is finished.
        strategies: Names in `tree.STRATEGIES`.
        picks: Of each strategy.
        seed: Of the first robot; the next has the next one.
        settings: How to pick.
        bundle: Folder of the model bundle; empty for the installed one.
        console: Where to show progress.

    Raises:
        DataError: `out` holds the picks of another request or bundle.
        RobotError: the simulated robot fails.
    """
    model = Bundle.load(bundle)
    _begin(out, {"seed": seed, "settings": asdict(settings)})
    with _graph(), progress_bar(console, "picks", picks * len(strategies)) as bar:
        done = 0
        for name in strategies:
            for row in _picks(out, name, picks, seed, settings, model):
                done += 1
                bar.update(done, f"{name} {row['seed']}/{row['number']}")
    facts = {"bundle": model.id, "weights": model.weights_hash, "seed": seed, "picks": picks}
    rows = {name: read(out, name)[:picks] for name in strategies}
    write_results(out, rows, {**facts, "settings": asdict(settings)})


def film(out: Path, seed: int, number: int, settings: PickSettings, bundle: str) -> None:
    """Pick once and ask whether it holds; write `picking.gif`, and `picking.jpg` of its moments.

    Args:
        out: Folder for both.
        seed: Of the robot.
        number: Of the pick with it, from 1.
        settings: How to pick.
        bundle: Folder of the model bundle; empty for the installed one.

    Raises:
        RobotError: the simulated robot fails.
        DataError: there was nothing to see.
    """
    out.mkdir(parents=True, exist_ok=True)
    with _graph(), robot(out, seed, str(Bundle.load(bundle).path), film=True) as there:
        there.change_to(number)
        pick = Pick(settings.force(seed, number))
        tree = pick_tree(STRATEGIES["assess"], there.hand, pick, settings)
        seen = Film(there.node, tree, pick)
        there.run(tree)
        seen.close()
    seen.write(out / f"{NAME}.gif")


@contextmanager
def _graph() -> Iterator[None]:
    """A ROS graph of our own."""
    end_on_signals()
    os.environ.update(own_graph())
    rclpy.init(args=[], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    try:
        yield
    finally:
        rclpy.shutdown()


def read(out: Path, strategy: str) -> list[dict[str, Any]]:
    """Picks of a strategy so far, in their order."""
    path = _file(out, strategy)
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(rows, key=lambda row: (row["seed"], row["number"]))


def _file(out: Path, strategy: str) -> Path:
    return out / f"{strategy}.jsonl"


def _begin(out: Path, request: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path, text = out / REQUEST, json.dumps(request, indent=1) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise DataError(
            "holds picks of another seed, or with other settings",
            where=str(out),
            do="Name another folder, or remove it",
        )
    path.write_text(text, encoding="utf-8")


def _picks(
    out: Path, name: str, picks: int, seed: int, settings: PickSettings, model: Bundle
) -> Iterator[dict[str, Any]]:
    """Each pick of a strategy, those that were made before first."""
    strategy, made = STRATEGIES[name], read(out, name)
    weights = model.weights_hash if strategy.asks else ""
    if any(row["weights"] != weights for row in made):
        raise DataError(
            "holds answers of another bundle", where=str(_file(out, name)), do="Remove it"
        )
    yield from made[:picks]
    known = {(row["seed"], row["number"]) for row in made}
    todo: dict[int, list[int]] = {}
    for k in range(picks):
        place = seed + k // PER_ROBOT, 1 + k % PER_ROBOT
        if place not in known:
            todo.setdefault(place[0], []).append(place[1])
    for robot_seed, numbers in todo.items():
        bundle = str(model.path) if strategy.asks else None
        with (
            robot(out, robot_seed, bundle) as there,
            _file(out, name).open("a", encoding="utf-8") as lines,
        ):
            for number in numbers:
                row = {"seed": robot_seed, "number": number, "weights": weights}
                row |= pick_one(there, strategy, settings, robot_seed, number)
                lines.write(json.dumps(row) + "\n")
                lines.flush()
                yield row


def pick_one(
    robot: Robot, strategy: Strategy, settings: PickSettings, seed: int, number: int
) -> dict[str, Any]:
    """Pick once; what came of it, as `table` reads it.

    Args:
        robot: With which; its objects are changed first.
        strategy: How.
        settings: How.
        seed: Of the robot's cell.
        number: Of the pick in this cell, from 1.

    Raises:
        RobotError: the robot fails, or no question was answered.
    """
    objects = robot.change_to(number)
    pick = Pick(settings.force(seed, number))
    begun_s, chosen_n = robot.hand.now_s, pick.force_n
    tree = pick_tree(strategy, robot.hand, pick, settings)
    try:
        robot.run(tree)
    except ObjectsChanged:
        return {"diverged": True}
    if strategy.asks and not pick.answers:
        said = {b.feedback_message for b in tree.iterate() if isinstance(b, Assess)} - {""}
        raise RobotError("gave no answer: " + "; ".join(sorted(said)), where=PERCEPTION)
    return {
        "objects": objects,
        "chosen_n": round(chosen_n, 3),
        "moves": [
            [m.command, round(m.force_n, 3), m.outcome, round(m.at_s - begun_s, 2)]
            for m in pick.moves
        ],
        "answers": [
            [a.decision.name, round(a.probability, 4), a.observations] for a in pick.answers
        ],
    }
