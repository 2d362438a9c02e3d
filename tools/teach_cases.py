"""Materials that are taught with a few touches, and asked about, for `teach_study.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from teach_methods import METHODS
from teach_networks import HELD, Made

WINDOWS = 4
"""Examples of one object, one after the other, at most: one touch."""
DRAWS = 10


@dataclass(frozen=True)
class Case:
    """One material that was taught once."""

    fold: int
    material: str
    taught: float
    """Share of its examples that are known."""
    lost: float
    """Share of the known materials' examples that were right and no longer are."""
    taught_by_touch: float
    wrong: tuple[str, ...]
    """What its other examples were called."""


SCORES = ("taught", "lost", "taught_by_touch")


def teach(
    folds: list[Made], method: str, weight: dict[str, float], part: str, count: int, own_part: str
) -> Iterator[Case]:
    """Teach each material some times, and ask.

    Args:
        folds: Networks.
        method: Name of one.
        weight: Of its evidence.
        part: What is asked about.
        count: Touches.
        own_part: Where the touches are from; objects that were touched are not asked about.
    """
    rng, evidence = np.random.default_rng(1), METHODS[method][0]
    for number, fold in enumerate(folds):
        names = np.unique(fold["materials"][fold["labels"] >= 0])
        for material in fold["held"]:
            asked, own, calibrated, right = ask(fold, material, part)
            for _ in range(DRAWS):
                touches, objects = draw(fold, material, own_part, count, rng)
                new = own & ~np.isin(fold["episodes"][asked], objects)
                if len(touches) < count or not new.any():
                    continue
                taught, others = evidence(fold, touches, fold["features"][asked])
                margin = weight["sharpness"] * taught + weight["prior"]
                margin -= np.logaddexp.reduce(weight["sharpness"] * others, axis=1)
                wins = margin > np.log(calibrated.max(1))
                share = 1 / (1 + np.exp(-margin))
                yield Case(
                    number,
                    str(material),
                    float(wins[new].mean()),
                    float((wins & right)[~own].mean()),
                    _by_touch(fold, asked[new], share[new], calibrated[new]),
                    tuple(names[calibrated[new & ~wins].argmax(1)]),
                )


def measure(cases: Sequence[Case]) -> dict[str, Any]:
    """Accuracy on taught materials and loss on known ones, means over networks."""
    columns = np.array([[getattr(case, name) for name in SCORES] for case in cases])
    of = np.array([case.fold for case in cases])
    by_fold = [columns[of == number].mean(0) for number in np.unique(of)]
    mean, spread = np.mean(by_fold, axis=0), np.ptp(by_fold, axis=0) / 2
    return {
        **{name: float(value) for name, value in zip(SCORES, mean, strict=True)},
        **{f"{name}_spread": float(v) for name, v in zip(SCORES, spread, strict=True)},
        "cases": len(cases),
    }


def draw(
    fold: Made, material: str, part: str, count: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Features of some touches, each of another object, and the recordings they are from."""
    mine = (fold["materials"] == material) & np.isin(fold["parts"], [part, HELD + part])
    chosen = rng.permutation(np.unique(fold["episodes"][mine]))[:count]
    touches = []
    for episode in chosen:
        there = np.flatnonzero(mine & (fold["episodes"] == episode))
        first = rng.integers(max(1, len(there) - WINDOWS + 1))
        touches.append(fold["features"][there[first : first + WINDOWS]])
    return touches, chosen


def ask(
    fold: Made, material: str, part: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Examples of the known materials and of one that is not.

    Returns:
        Their indices, which are of that one, the classifier's probabilities, where it is right.
    """
    own = (fold["parts"] == HELD + part) & (fold["materials"] == material)
    asked = np.flatnonzero(own | (fold["parts"] == part))
    probabilities = fold["probabilities"][asked].astype(np.float64)
    right = probabilities.argmax(1) == fold["labels"][asked]
    return asked, own[asked], probabilities, right


def _by_touch(
    fold: Made, asked: np.ndarray, share: np.ndarray, probabilities: np.ndarray
) -> float:
    """Accuracy on the taught material of answers that are averaged over a touch."""
    right = []
    for episode in np.unique(fold["episodes"][asked]):
        there = np.flatnonzero(fold["episodes"][asked] == episode)
        for start in range(0, len(there), WINDOWS):
            some = there[start : start + WINDOWS]
            known = ((1 - share[some])[:, None] * probabilities[some]).mean(0)
            right.append(share[some].mean() > known.max())
    return float(np.mean(right))
