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
from teach_cases import DRAWS, ask, draw, measure, teach
from teach_limits import by_material
from teach_methods import METHODS
from teach_networks import RECIPE, Made, read, trained
from teach_page import page

from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.progress import progress_bar
from xmodal_ros.runtime.discriminant import PRIOR, SHARPNESS, SPREAD
from xmodal_ros.runtime.teach import ALIKE
from xmodal_ros.train.pretrain.files import save_text

TOUCHES = (1, 2, 5, 10)
CHOSEN_AT = 5
USED = "discriminant"
"""What the runtime does."""
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
    whole, files = trained(cell, encoder, cache, out, seed)
    folds = [read(file) for file in files]
    weights: dict[str, dict[str, float]] = {}
    rows: list[dict[str, Any]] = []
    steps = len(METHODS) * (1 + len(TOUCHES) + 2)
    with progress_bar(console, "teaching", steps) as bar:
        for method in METHODS:
            weights[method] = choose(folds, method)
            bar.update(len(rows) + len(weights), f"{method}: {weights[method]}")
            for own, counts in ((TRAIN, TOUCHES), (TEST, (1, 2))):
                for count in counts:
                    cases = list(teach(folds, method, weights[method], TEST, count, own))
                    row = measure(cases)
                    rows.append({"method": method, "taught_on": own, "touches": count, **row})
                    bar.update(len(rows) + len(weights), method)
    found = {
        "data": cell.name,
        "seed": seed,
        "encoder": Path(encoder).name,
        "recipe": RECIPE,
        "draws": DRAWS,
        "chosen_at": CHOSEN_AT,
        "allowed": LOST,
        "held": [fold["held"].tolist() for fold in folds],
        "weights": weights,
        "used": {"sharpness": SHARPNESS, "prior": PRIOR, "spread": SPREAD, "alike": ALIKE},
        "accuracy": _known_accuracy(folds),
        "refused": {name: _refused(folds, name) for name in ("unknown", "known")},
        "rows": rows,
        "materials": by_material(
            list(teach(folds, USED, weights[USED], TEST, CHOSEN_AT, TRAIN)), read(whole), LOST
        ),
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
        asked, own, calibrated, right = ask(fold, material, VALIDATION)
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


def _cases(folds: list[Made]) -> Iterator[tuple[Made, str]]:
    return ((fold, material) for fold in folds for material in fold["held"])


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
