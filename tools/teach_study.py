"""How well a material is known that was taught with a few touches, and what it costs the others.

python tools/teach_study.py CELL    half an hour on one core; networks that are trained are kept

Networks are trained without some materials of the simulated cell, which are then taught. Weights
of evidence are chosen on the validation part; the test part, with other objects, textures and
sensors, is for the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from teach_methods import METHODS
from teach_networks import HELD, RECIPE, Made, read, trained

from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.progress import progress_bar
from xmodal_ros.runtime.discriminant import PRIOR, SHARPNESS, SPREAD
from xmodal_ros.runtime.teach import ALIKE
from xmodal_ros.train.pretrain.files import save_text

TOUCHES = (1, 2, 5, 10)
CHOSEN_AT = 5
WINDOWS = 4
"""Examples of one object, one after the other, at most: one touch."""
DRAWS = 10
LOST = 0.02
"""Share of the known materials' examples that teaching may cost."""
PRIORS = np.arange(-8, 8.01, 0.25)


def study(
    cell: Annotated[Path, typer.Argument(help="Data set of the simulated cell.")],
    encoder: Annotated[
        str, typer.Option(help="As encoder.weights of `xmodal train`.")
    ] = "package",
    cache: Annotated[Path, typer.Option(help="Features of the frozen encoder.")] = Path(
        "out/cache"
    ),
    out: Annotated[Path, typer.Option(help="Folder of what was trained.")] = Path("out/teach"),
    results: Annotated[Path, typer.Option(help="Folder of the table.")] = Path("docs/results"),
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
) -> None:
    """Train what is not there, teach, and write teach.json and teach.md."""
    console = Console()
    folds = [read(file) for file in trained(cell, encoder, cache, out, seed)]
    weights: dict[str, dict[str, float]] = {}
    rows: list[dict[str, Any]] = []
    steps = len(METHODS) * (1 + len(TOUCHES) + 2)
    with progress_bar(console, "teaching", steps) as bar:
        for method in METHODS:
            weights[method] = choose(folds, method)
            bar.update(len(rows) + len(weights), f"{method}: {weights[method]}")
            for own, counts in ((TRAIN, TOUCHES), (TEST, (1, 2))):
                for count in counts:
                    row = measure(folds, method, weights[method], TEST, count, own)
                    rows.append({"method": method, "taught_on": own, "touches": count, **row})
                    bar.update(len(rows) + len(weights), method)
    found = {
        "data": cell.name,
        "seed": seed,
        "encoder": Path(encoder).name,
        "recipe": RECIPE,
        "held": [fold["held"].tolist() for fold in folds],
        "weights": weights,
        "used": {"sharpness": SHARPNESS, "prior": PRIOR, "spread": SPREAD, "alike": ALIKE},
        "accuracy": _known_accuracy(folds),
        "refused": {name: _refused(folds, name) for name in ("unknown", "known")},
        "rows": rows,
    }
    save_text(results / "teach.json", json.dumps(found, indent=1) + "\n")
    save_text(results / "teach.md", page(found))


def choose(folds: list[Made], method: str) -> dict[str, float]:
    """The weight and prior that know most of the taught, and lose no more than allowed."""
    evidence, sharpnesses = METHODS[method]
    known = np.zeros((len(sharpnesses), len(PRIORS)))
    lost, cases = known.copy(), 0
    rng = np.random.default_rng(0)
    for fold, material in _cases(folds):
        asked, own, calibrated, right = _asked(fold, material, VALIDATION)
        for _ in range(3):
            touches, _ = draw(fold, material, TRAIN, CHOSEN_AT, rng)
            taught, others = evidence(fold, touches, fold["features"][asked])
            for i, sharpness in enumerate(sharpnesses):
                margin = sharpness * taught - np.logaddexp.reduce(sharpness * others, axis=1)
                wins = (margin - np.log(calibrated.max(1)))[:, None] + PRIORS > 0
                known[i] += wins[own].mean(0)
                lost[i] += (wins & right[:, None])[~own].mean(0)
            cases += 1
    allowed = np.where(lost / cases <= LOST, known, -1)
    best = np.unravel_index(allowed.argmax(), allowed.shape)
    return {"sharpness": float(sharpnesses[best[0]]), "prior": float(PRIORS[best[1]])}


def measure(
    folds: list[Made], method: str, weight: dict[str, float], part: str, count: int, own_part: str
) -> dict[str, Any]:
    """Accuracy on taught materials and loss on known ones, means over materials and draws.

    Args:
        folds: Networks.
        method: Name of one.
        weight: Of its evidence.
        part: What is asked about.
        count: Touches.
        own_part: Where the touches are from; objects that were touched are not asked about.
    """
    rng, scores = np.random.default_rng(1), []
    evidence = METHODS[method][0]
    for number, fold in enumerate(folds):
        for material in fold["held"]:
            asked, own, calibrated, right = _asked(fold, material, part)
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
                scores.append(
                    (
                        number,
                        wins[new].mean(),
                        (wins & right)[~own].mean(),
                        _by_touch(fold, asked[new], share[new], calibrated[new]),
                    )
                )
    columns = np.array(scores)
    by_fold = [columns[columns[:, 0] == n, 1:].mean(0) for n in np.unique(columns[:, 0])]
    mean, spread = np.mean(by_fold, axis=0), np.ptp(by_fold, axis=0) / 2
    names = ("taught", "lost", "taught_by_touch")
    return {
        **{name: float(value) for name, value in zip(names, mean, strict=True)},
        **{f"{name}_spread": float(v) for name, v in zip(names, spread, strict=True)},
        "cases": len(scores),
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


def page(found: dict[str, Any]) -> str:
    """The table as Markdown."""
    lines = [
        "# teach",
        "",
        "| method | touches | taught on | taught: accuracy | the same, by touch "
        "| known: points lost |",
        "|---|---|---|---|---|---|",
    ]
    units = {TRAIN: "a training sensor", TEST: "the same sensors"}
    for row in found["rows"]:
        cells = [f"{row[k]:.3f} ± {row[f'{k}_spread']:.3f}" for k in ("taught", "taught_by_touch")]
        lost = f"{100 * row['lost']:.1f} ± {100 * row['lost_spread']:.1f}"
        start = [row["method"], str(row["touches"]), units[row["taught_on"]]]
        lines.append("| " + " | ".join([*start, *cells, lost]) + " |")
    accuracy = ", ".join(f"{value:.3f} ({part})" for part, value in found["accuracy"].items())
    held = sum(map(len, found["held"]))
    refused = {k: f"{v['1']:.0%} and {v['5']:.0%}" for k, v in found["refused"].items()}
    lines += [
        "",
        f"Test part of {found['data']}: objects, textures and sensors that no training saw. Means "
        f"over {len(found['held'])} networks, each trained without {held // len(found['held'])} "
        f"materials (seed {found['seed']}), ± half their range; each material is taught alone, "
        f"{DRAWS} times. Points lost are of the known materials' examples, whose accuracy before "
        f"is {accuracy}. By touch: up to {WINDOWS} answers are averaged.",
        "",
        "Weights of the evidence, chosen on the validation part at "
        f"{CHOSEN_AT} touches for at most {100 * LOST:.0f} points lost: "
        + "; ".join(
            f"{name} {w['sharpness']:g}, prior {w['prior']:g}"
            for name, w in found["weights"].items()
        )
        + ".",
        "",
        f"Refused, since {found['used']['alike']:.0%} alike another material (validation part), "
        f"with 1 and 5 touches: {refused['unknown']} of unknown materials, {refused['known']} of "
        "known ones that are given another name.",
    ]
    return "\n".join(lines) + "\n"


def _cases(folds: list[Made]) -> Iterator[tuple[Made, str]]:
    return ((fold, material) for fold in folds for material in fold["held"])


def _asked(
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


def _known_accuracy(folds: list[Made]) -> dict[str, float]:
    found = {}
    for part in (VALIDATION, TEST):
        right = [(f["logits"].argmax(1) == f["labels"])[f["parts"] == part].mean() for f in folds]
        found[part] = float(np.mean(right))
    return found


def _refused(folds: list[Made], which: str) -> dict[str, float]:
    """How often touches of unknown or known materials are said to be like another one."""
    rng, found = np.random.default_rng(2), {}
    for count in (1, CHOSEN_AT):
        refused = []
        for fold in folds:
            others = np.unique(fold["materials"][fold["parts"] == VALIDATION])
            for material in fold["held"] if which == "unknown" else others:
                for _ in range(DRAWS):
                    asked = {**fold, "features": fold["probabilities"]}
                    touches, _ = draw(asked, material, VALIDATION, count, rng)
                    refused.append(np.mean([t.mean(0) for t in touches], axis=0).max() >= ALIKE)
        found[str(count)] = float(np.mean(refused))
    return found


if __name__ == "__main__":
    typer.run(study)
