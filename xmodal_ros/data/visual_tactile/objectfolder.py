"""The ObjectFolder benchmark's material task: rendered objects, seen and touched.

Source: Gao et al. 2023, "The ObjectFolder Benchmark". `{vision,touch}/<object>/<instance>.png`,
`label.json` (a class by object), `split.json` (lists of [object, instance] by part). Where classes
are integers, their order is unconfirmed: `materials.json` beside it, a list of names or a mapping
from the integers, names them. Without it they stay integers, and a check says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import (
    CAMERA,
    DISJOINT,
    OFFICIAL,
    TEST,
    TOUCH,
    TRAIN,
    VALIDATION,
    Example,
    Problem,
    VisualTactile,
    divide,
)

KIND = "objectfolder"
SPLITS = (OFFICIAL, DISJOINT)
MATERIALS = ("ceramic", "glass", "wood", "plastic", "iron", "polycarbonate", "steel")
"""As the paper lists them, which need not be the order of the integers."""
PARTS = {"train": TRAIN, "val": VALIDATION, "test": TEST}


def recognise(root: Path) -> bool:
    """Whether a folder looks like this data set."""
    return (root / "label.json").is_file() and (root / "touch").is_dir()


def read(root: Path, split: str = OFFICIAL) -> VisualTactile:
    """Read the pairs of `split.json`.

    Args:
        root: The folder that holds `vision` and `touch`.
        split: "official", or "disjoint": every object in one part, spread by material.

    Raises:
        DataError: a JSON file is missing or has another form.
    """
    problems: list[Problem] = []
    labels, notes = _labels(root)
    listed = list(_listed(root / "split.json"))
    parts = divide({name: labels.get(name, "") for name, _, _ in listed})
    examples = []
    for name, instance, part in listed:
        streams = {
            CAMERA: (Source(root / "vision" / name / f"{instance}.png"),),
            TOUCH: (Source(root / "touch" / name / f"{instance}.png"),),
        }
        missing = [s.path for (s,) in streams.values() if not s.path.is_file()]
        problems.extend(Problem("missing", str(path), "no such file") for path in missing)
        if name not in labels:
            problems.append(Problem("label", str(root / "label.json"), f"no object '{name}'"))
        elif not missing:
            where = parts[name] if split == DISJOINT else part
            known = {"material": labels[name]}
            examples.append(Example(f"{name}/{instance}", streams, known, name, where))
    problems.extend(_unpaired(root))
    return VisualTactile(KIND, root, split, tuple(examples), tuple(problems), notes)


def _unpaired(root: Path) -> list[Problem]:
    """Images of one sense without the other's."""
    seen, felt = (
        {path.relative_to(root / sense) for path in (root / sense).glob("*/*.png")}
        for sense in ("vision", "touch")
    )
    alone = [("vision", path, "touch") for path in sorted(seen - felt)]
    alone += [("touch", path, "vision") for path in sorted(felt - seen)]
    return [
        Problem("mismatched", str(root / sense / path), f"no image of that name in {other}")
        for sense, path, other in alone
    ]


def _labels(root: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Class by object, and what to say about it."""
    values, path = _mapping(root / "label.json"), root / "materials.json"
    made = {name: str(value) for name, value in values.items()}
    if not any(label.isdigit() for label in made.values()):
        return made, ()
    if not path.is_file():
        note = (
            "classes are integers, whose order is unconfirmed; name them in "
            f"{path}, a list such as {json.dumps(MATERIALS)}"
        )
        return made, (note,)
    content = _json(path)
    mapping = content if isinstance(content, Mapping) else dict(enumerate(content))
    names = {str(key): str(name) for key, name in mapping.items()}
    unnamed = sorted(set(made.values()) - names.keys())
    if unnamed:
        raise DataError(
            "no name for " + ", ".join(unnamed),
            where=str(path),
            expected="every class of label.json",
        )
    return {name: names[label] for name, label in made.items()}, ()


def _listed(path: Path) -> Iterator[tuple[str, str, str]]:
    """Object, instance and part of each entry of the split."""
    for part, entries in _mapping(path).items():
        if part not in PARTS:
            raise DataError(f"no part '{part}'", where=str(path), expected=", ".join(PARTS))
        for entry in entries:
            if not isinstance(entry, list) or len(entry) != 2:
                raise DataError(f"got {entry}", where=str(path), expected="[object, instance]")
            yield str(entry[0]), str(entry[1]), PARTS[part]


def _mapping(path: Path) -> Mapping[str, Any]:
    content = _json(path)
    if not isinstance(content, Mapping):
        raise DataError("is no mapping", where=str(path), expected="names and values")
    return content


def _json(path: Path) -> Any:
    try:
        return json.loads(require(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"cannot be read ({error})", where=str(path), expected="JSON") from error
