"""ObjectFolder Real: 100 household objects pressed by a GelSight, labelled by material.

Source: Gao et al. 2023, "The ObjectFolder Benchmark". `<object>/tactile_data/<trial>/0/gelsight/
<n>.png`, and a CSV file with columns Index, Name and Material. Some trials have no gel images: a
check names each. Camera images are not part of this layout.
"""

from __future__ import annotations

from pathlib import Path

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import read_table
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import (
    DISJOINT,
    TOUCH,
    Example,
    Problem,
    VisualTactile,
    divide,
)

KIND = "objectfolder_real"
SPLITS = (DISJOINT,)
COLUMNS = ("Index", "Name", "Material")


def recognise(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return next(root.glob("*/tactile_data"), None) is not None


def read(root: Path, split: str = DISJOINT) -> VisualTactile:
    """Read the trials; an example is the clip of one trial, with its material's name.

    Raises:
        DataError: there is no table of materials, or there are several.
    """
    materials, problems = _materials(root), []
    folders = sorted({path.parent for path in root.glob("*/tactile_data")})
    labels = {}
    for folder in folders:
        if folder.name in materials:
            labels[folder.name] = materials[folder.name]
        else:
            problems.append(Problem("label", str(folder), "is not in the table of materials"))
    parts = divide(labels)
    examples = []
    for name, material in labels.items():
        for trial in sorted((root / name / "tactile_data").iterdir()):
            if not trial.is_dir():
                continue
            clip = _clip(trial / "0" / "gelsight", problems)
            if clip:
                example = f"{name}/{trial.name}"
                known = {"material": material}
                examples.append(Example(example, {TOUCH: clip}, known, name, parts[name]))
    return VisualTactile(KIND, root, split, tuple(examples), tuple(problems))


def _clip(folder: Path, problems: list[Problem]) -> tuple[Source, ...]:
    """Images of a trial in the order of their numbers."""
    numbered = {}
    for path in sorted(folder.glob("*.png")):
        if path.stem.isdigit():
            numbered[int(path.stem)] = path
        else:
            problems.append(Problem("mismatched", str(path), "its name is no number"))
    if not numbered:
        problems.append(Problem("missing", str(folder), "no gel image"))
    return tuple(Source(numbered[number]) for number in sorted(numbered))


def _materials(root: Path) -> dict[str, str]:
    """Material by folder, which has an object's index or its name."""
    tables = sorted(root.glob("*.csv"))
    if len(tables) != 1:
        raise DataError(
            f"{len(tables)} CSV files",
            where=str(root),
            expected="one, with columns " + ", ".join(COLUMNS),
        )
    rows = read_table(tables[0], COLUMNS)
    made = {row["Name"].strip(): row["Material"].strip().lower() for row in rows}
    return made | {row["Index"].strip(): row["Material"].strip().lower() for row in rows}
