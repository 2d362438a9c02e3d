"""The tables of the miniature's results, from the plain values that language.json has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

RIGHT = {
    "activity": "activity",
    "is activity": "activity, yes or no",
    "motion": "moving?",
    "material": "material",
    "is material": "material, yes or no",
    "grasp": "grasp",
}
"""Kinds of questions whose answers are counted as right or wrong, with the columns' titles."""
INVENTED = {
    "activity": "names another activity",
    "caption": "caption names what is not there",
    "material": "names another material",
    "is activity": "agrees to an absent activity",
    "is material": "agrees to an absent material",
}
"""Kinds of questions whose answers may name what is not there."""


def page(found: Mapping[str, Any]) -> str:
    """Markdown: what is right, what is invented, and what abstaining does, for each part."""
    blocks = [
        "# language",
        "Does a frozen language model that learned to read images also read an IMU that was "
        "aligned to them, and what does it say of things that are not there?",
    ]
    for part in reversed(found["parts"]):
        counts = found["seeds"][0][part]["asked"]["vision"]
        asked = ", ".join(f"{counts[kind]['count']} ({title})" for kind, title in RIGHT.items())
        blocks += [
            f"## {part.capitalize()} part",
            "Answers that are right.",
            _right(found, part),
            f"Questions: {asked}, about {found['most']} moments of each activity at most.",
            "Answers that name an activity or a material that is not there: without abstaining → "
            "with it.",
            _invented(found, part),
            "Abstaining: share that is answered, and accuracy of what is.",
            _abstaining(found, part),
        ]
    return "\n\n".join([*blocks, "## Notes", "\n".join(f"- {n}" for n in _notes(found))]) + "\n"


def _right(found: Mapping[str, Any], part: str) -> str:
    rows = {"best constant answer": [[found["majority"][part][kind]] for kind in RIGHT]}
    for title in _conditions(found, part):
        rows[title] = [_values(found, part, title, kind, "accuracy") for kind in RIGHT]
    for title in found["seeds"][0][part]["classifier"]:
        scores = [seed[part]["classifier"][title] for seed in found["seeds"]]
        rows[f"classifier without words, {title}"] = [scores, *([[]] * (len(RIGHT) - 1))]
    return _table(list(RIGHT.values()), {t: [_cell(v) for v in row] for t, row in rows.items()})


def _invented(found: Mapping[str, Any], part: str) -> str:
    rows = {}
    for title in _conditions(found, part):
        pairs = [
            [
                _values(found, part, title, kind, name)
                for name in ("invented", "invented_abstaining")
            ]
            for kind in INVENTED
        ]
        rows[title] = [f"{_cell(always)} → {_cell(less)}" for always, less in pairs]
    return _table(list(INVENTED.values()), rows)


def _abstaining(found: Mapping[str, Any], part: str) -> str:
    rows = {}
    for title in _conditions(found, part):
        pairs = [
            [_values(found, part, title, kind, name) for name in ("answered", "accuracy_answered")]
            for kind in RIGHT
        ]
        rows[title] = [f"{_cell(share)}, {_cell(right) or 'none'}" for share, right in pairs]
    return _table(list(RIGHT.values()), rows)


def _conditions(found: Mapping[str, Any], part: str) -> list[str]:
    return list(found["seeds"][0][part]["asked"])


def _values(found: Mapping[str, Any], part: str, title: str, kind: str, name: str) -> list[float]:
    """By seed; a seed without such a value is left out."""
    values = [seed[part]["asked"][title][kind][name] for seed in found["seeds"]]
    return [value for value in values if value is not None]


def _table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {title} | {' | '.join(cells)} |" for title, cells in rows.items()]
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = (max(values) - min(values)) / 2
    return f"{np.mean(values):.3f}" + (f" ± {spread:.3f}" if len(values) > 1 else "")


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    seeds = found["seeds"]
    if len(seeds) > 1:
        yield f"Means over {len(seeds)} seeds, ± half the range between them."
    counts = ", ".join(f"{count} {part}" for part, count in seeds[0]["moments"].items())
    yield f"Data: {seeds[0]['data']}; moments: {counts}."
    sizes = ", ".join(f"{n} {c / 1e6:.2f} M" for n, c in seeds[0]["parameters"].items())
    yield f"Parameters: {sizes}."
    same = all(s["language_model_sha256"] == s["language_model_sha256_after"] for s in seeds)
    yield (
        "The language model's weights have "
        + ("the same SHA-256" if same else "ANOTHER SHA-256")
        + " before and after an IMU is aligned and its adapter trained."
    )
    thresholds = ", ".join(f"{seed['abstain_below']:.3f}" for seed in seeds)
    yield (
        "It abstains where the least probability of an answer's tokens is below a threshold, "
        "fitted on the validation part so that "
        f"{found['kept_accuracy']:.0%} of the other answers are right: {thresholds} by seed."
    )
    yield "Aligned only: nothing was trained on answers about an IMU."
    minutes = ", ".join(f"{seed['seconds'] / 60:.0f}" for seed in seeds)
    yield f"Minutes of training by seed: {minutes}. Made by `xmodal language train`."
