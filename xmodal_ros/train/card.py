"""The card of the bundle: its tables come from the studies' JSON files, its words from here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SCORES = {
    "grasp": {"auc": "AUC", "balanced_accuracy": "balanced accuracy"},
    "activity": {"balanced_accuracy": "balanced accuracy", "accuracy": "accuracy"},
    "material": {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"},
}
TEXT = Path(__file__).parent / "card.md"


def write_card(results: Path, rows: Mapping[str, Mapping[str, str]]) -> str:
    """Fill the card's template.

    Args:
        results: Folder of the studies' JSON files.
        rows: Per task, the recipes to list: title by recipe name, ours first.
    """
    text = TEXT.read_text(encoding="utf-8")
    for task, titles in rows.items():
        text = text.replace(f"<{task} table>", table(results, task, titles))
    text = text.replace("<serving table>", serving(results))
    return text.replace(
        "<calibration table>", calibration(results, [next(iter(t)) for t in rows.values()])
    )


def table(results: Path, task: str, titles: Mapping[str, str]) -> str:
    """Markdown table of one task: our recipes, then the baselines.

    A cell of the cross-validation is the mean over folds, one of the test part the mean over seeds
    and half the range between them.
    """
    columns = SCORES[task]
    head = [
        *(f"{c}, cross-validation" for c in columns.values()),
        *(f"{c}, test" for c in columns.values()),
    ]
    lines = [f"| | {' | '.join(head)} |", "|---|" + "---|" * len(head)]
    for name, title in titles.items():
        study = _read(results / f"{name}.json")
        lines.append(
            _row(title, columns, study["cross_validation"], [t["after"] for t in study["test"]])
        )
    for name, found in _read(results / f"{task}-baselines.json").items():
        lines.append(_row(name, columns, found["cross_validation"], found["test"]))
    return "\n".join(lines)


def calibration(results: Path, names: Sequence[str]) -> str:
    """Markdown table of temperatures and expected calibration errors of the test part."""
    lines = [
        "| head | temperature | ECE before | ECE after | NLL before | NLL after |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        study = _read(results / f"{name}.json")
        cells = [f"{study['temperature']:.2f}"]
        for score in ("ece", "nll"):
            cells += [
                f"{np.mean([t[when][score] for t in study['test']]):.3f}"
                for when in ("before", "after")
            ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def serving(results: Path) -> str:
    """Markdown table of the bundle's test scores in training and through the serving path."""
    path = results / "serving.json"
    if not path.exists():
        return "Not measured yet."
    lines = [
        "| head | score | features of training | synchronizer and Predictor |",
        "|---|---|---|---|",
    ]
    for head, found in _read(path)["heads"].items():
        score, title = next(iter(SCORES[head].items()))
        lines.append(
            f"| {head} | {title} | {found['trained'][score]:.3f} | {found['served'][score]:.3f} |"
        )
    return "\n".join(lines)


def _row(
    title: str,
    columns: Mapping[str, str],
    validation: Mapping[str, Any],
    test: Sequence[Mapping[str, float]],
) -> str:
    cells = [_cell([validation["folds"][c]]) for c in columns]
    cells += [_cell([v[c] for v in test]) for c in columns]
    return f"| {title} | " + " | ".join(cells) + " |"


def _cell(values: Sequence[float]) -> str:
    spread = (max(values) - min(values)) / 2
    return f"{np.mean(values):.3f}" + (f" ± {spread:.3f}" if len(values) > 1 else "")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
