"""The tables of an experiment, from the plain values that its JSON file has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from xmodal_ros.train.experiments.cost import ROUNDS

SCORES = {
    "material": {"accuracy": "accuracy"},
    "hardness": {"accuracy": "accuracy"},
    "roughness": {"accuracy": "accuracy"},
    "grasp": {"accuracy": "accuracy", "auc": "AUC"},
}
"""By head, what is shown, in the order of the columns."""
CALIBRATION = {"ece": "ECE"}
FLOOR = (
    "In brackets after an ECE: what exactly right probabilities would show on average on so many "
    "independent examples; those of one object depend on each other, and have a higher floor."
)


def page(found: Mapping[str, Any]) -> str:
    """Markdown: question, picture, a table for each part, what the variants cost, notes."""
    name, tested = found["experiment"], found["test_data"]
    blocks = [f"# {name}" + (f", tested on {tested}" if tested else ""), found["question"]]
    if found["rows"]:
        blocks.append(f"![{name}]({stem(found)}.svg)")
    for part in reversed(found["parts"] if found["rows"] else []):
        blocks += [f"## {part.capitalize()} part", *part_blocks(found, part)]
    blocks += ["## Cost", costs_table(found), "\n".join(f"- {line}" for line in _notes(found))]
    return "\n\n".join(blocks) + "\n"


def part_blocks(found: Mapping[str, Any], part: str) -> list[str]:
    """Tables of a part, with what has to be said beside them."""
    counts = ", ".join(f"{n} of {head}" for head, n in _counts(found, part).items())
    return [scores_table(found, part), f"Examples: {counts}.", *_compared(found, part)]


def stem(found: Mapping[str, Any]) -> str:
    """Name of an experiment's files, without what follows the dot."""
    tested = found["test_data"]
    return f"touch-{found['experiment']}" + (f"-on-{tested}" if tested else "")


def scores_table(
    found: Mapping[str, Any], part: str, columns: Sequence[tuple[str, str, str]] = ()
) -> str:
    """One row per variant and condition: mean over seeds, and half the range between them.

    Args:
        found: With `rows`.
        part: Of the data sets.
        columns: Head, score and title of each column; those that any row has if empty.
    """
    columns = columns or list(shown(found, part))
    head = [f"{head}, {title}" for head, _, title in columns]
    lines = [f"| | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for row in found["rows"]:
        cells = [_scores(row, part, head, score) for head, score, _ in columns]
        lines.append(f"| {label(row)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def together_table(found: Mapping[str, Any], part: str) -> str:
    """One row per variant: scores of its seeds' mean probabilities."""
    rows = [{**row, "seeds": [row["together"]]} for row in found["rows"] if "together" in row]
    return scores_table({**found, "rows": rows}, part)


def differences_table(found: Mapping[str, Any], part: str) -> str:
    """One row per variant but the first: how much more often it is right, with an interval."""
    rows = [row for row in found["rows"] if part in row.get("difference", {})][1:]
    heads = [head for head in SCORES if any(head in row["difference"][part] for row in rows)]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for row in rows:
        more = [row["difference"][part].get(head) for head in heads]
        cells = [
            f"{d['mean']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f})" if d else "" for d in more
        ]
        lines.append(f"| {label(row)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def costs_table(found: Mapping[str, Any]) -> str:
    """One row per variant: parameters and time per example."""
    lines = [
        "| | parameters | of them trained | encoders, ms | fusion, ms |",
        "|---|---|---|---|---|",
    ]
    for title, facts in found["variants"].items():
        count, time = facts["parameters"], facts["milliseconds"]
        cells = [
            f"{count['all'] / 1e6:.2f} M", f"{count['trained'] / 1e6:.2f} M",
            f"{time['encoders']:.1f}", f"{time['fusion']:.2f}",
        ]  # fmt: skip
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shown(found: Mapping[str, Any], part: str) -> Iterator[tuple[str, str, str]]:
    """Head, score and title of each column that any row has."""
    heads = {head for row in found["rows"] for seed in row["seeds"] for head in seed.get(part, {})}
    for head, scores in SCORES.items():
        if head in heads:
            yield from ((head, score, title) for score, title in (scores | CALIBRATION).items())


def values(row: Mapping[str, Any], part: str, head: str, score: str) -> list[float]:
    """A score by seed; empty where the row has none."""
    return [s[part][head][score] for s in row["seeds"] if score in s.get(part, {}).get(head, {})]


def label(row: Mapping[str, Any]) -> str:
    """What a row is called."""
    return ": ".join(text for text in (row["variant"], row["condition"]) if text)


def _scores(row: Mapping[str, Any], part: str, head: str, score: str) -> str:
    """A cell; an ECE is followed by that of exactly right probabilities."""
    cell = _cell(values(row, part, head, score))
    floor = values(row, part, head, "ece_floor") if score == "ece" else []
    return f"{cell} ({np.mean(floor):.3f})" if floor else cell


def _cell(found: Sequence[float]) -> str:
    if not found:
        return ""
    spread = (max(found) - min(found)) / 2
    return f"{np.mean(found):.3f}" + (f" ± {spread:.3f}" if len(found) > 1 else "")


def _difference(more: Mapping[str, float] | None) -> str:
    return f"{more['mean']:+.3f} ({more['low']:+.3f} to {more['high']:+.3f})" if more else ""


def _compared(found: Mapping[str, Any], part: str) -> Iterator[str]:
    """Tables of what several seeds give together, and of differences between variants."""
    first = found["rows"][0]
    if "together" not in first:
        return
    if len(first["seeds"]) > 1:
        yield "All seeds together: their probabilities averaged, then calibrated."
        yield together_table(found, part)
    yield (
        f'How much more often right than "{label(first)}", mean of seeds; in brackets a 95 % '
        "interval for other recordings (or groups) and the same networks, by bootstrap."
    )
    yield differences_table(found, part)


def _counts(found: Mapping[str, Any], part: str) -> dict[str, int]:
    """Most examples of a row, by head."""
    counts: dict[str, int] = {}
    for row in found["rows"]:
        for seed in row["seeds"]:
            for head, scores in seed.get(part, {}).items():
                counts[head] = max(counts.get(head, 0), scores["count"])
    return counts


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    machine = found["machine"]
    yield from found["notes"]
    seeds = max((len(row["seeds"]) for row in found["rows"]), default=0)
    if seeds > 1:
        yield f"Scores are means over {seeds} seeds, ± half the range between them."
    if found["rows"]:
        yield FLOOR
    yield f"Data: {', '.join(found['data'])}."
    if tested := found["test_data"]:
        yield f"Test part: all of {tested}, of which nothing was trained on or calibrated with."
    yield from (f"Pretrained encoder: {title}." for title in found["encoders"])
    yield (
        f"Time: the fastest of {ROUNDS}, one example at a time, eager torch, "
        f"{machine['threads']} threads, on "
        f"{machine['cpu']}, load {machine['load_before']} before."
    )
    options = [f"--test-data {found['test_data']}"] if found["test_data"] else []
    options += [f"--set {text}" for text in found["overrides"]]
    yield f"Made by `{' '.join(['xmodal experiment', found['experiment'], *options])}`."
