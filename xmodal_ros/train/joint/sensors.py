"""What each sensor is worth: every subset of the modalities, and networks of one alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.train.experiments.table import scores_table
from xmodal_ros.train.joint.answers import AnswerRun, MomentExamples
from xmodal_ros.train.pretrain.files import save_text
from xmodal_ros.train.touch.calibrate import some_of, subset_temperatures
from xmodal_ros.train.touch.score import answers, answers_from, scores

ALL = "all senses"
MAJORITY = "the most common class"
COLUMNS = (("accuracy", "accuracy"), ("ece", "ECE"))
"""Of each head."""


def subset_scores(
    run: AnswerRun, examples: MomentExamples, parts: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By part, subset of the modalities and head, scores with the subset's own temperature.

    All of a part are of the same moments: those that have all of the streams.

    Args:
        run: Of all streams of the examples.
        examples: Moments.
        parts: Which are scored.
    """
    branches = run.architecture["streams"]
    names = list(dict.fromkeys(branches.values()))
    kept = {
        " + ".join(some): tuple(s for s in examples.streams if branches[s] in some)
        for some in [tuple(names), *reversed(some_of(names))]
    }
    rows = examples.indices(VALIDATION)
    logits = answers_from(run.network, examples, rows, list(kept.values()))
    fitted = subset_temperatures(
        logits,
        {head: known[rows] for head, known in examples.labels.items()},
        {stream: there[rows] for stream, there in examples.present.items()},
        run.temperatures,
    )
    made: dict[str, dict[str, Any]] = {}
    for part in parts:
        chosen = whole(examples, part)
        labels = {head: known[chosen] for head, known in examples.labels.items()}
        if part == VALIDATION:
            some = np.isin(rows, chosen)
            found = {k: {h: x[some] for h, x in by.items()} for k, by in logits.items()}
        else:
            found = answers_from(run.network, examples, chosen, list(kept.values()))
        made[part] = {}
        for title, streams in kept.items():
            own = {
                head: dict(fitted[head]).get("+".join(streams), usual)
                for head, usual in run.temperatures.items()
            }
            name = ALL if len(streams) == len(examples.streams) else title
            made[part][name] = scores(found[streams], labels, own)
    return made


def alone_scores(
    run: AnswerRun, examples: MomentExamples, part: str, every: MomentExamples
) -> dict[str, Any]:
    """Calibrated scores by head of a network of one modality, of the same moments.

    Args:
        run: Of the examples' streams.
        examples: Moments with one modality's streams.
        part: Which are scored.
        every: The same moments with all streams.
    """
    chosen = whole(every, part)
    labels = {head: known[chosen] for head, known in examples.labels.items()}
    return scores(answers(run.network, examples, chosen), labels, run.temperatures)


def majority_scores(examples: MomentExamples, part: str) -> dict[str, Any]:
    """By head, of always saying what is most common in the training part."""
    chosen, train = whole(examples, part), examples.indices(TRAIN)
    logits, labels = {}, {}
    for head, known in examples.labels.items():
        counts = np.bincount(known[train][known[train] >= 0], minlength=len(examples.heads[head]))
        logits[head] = np.tile(np.log(counts / counts.sum() + 1e-9), (len(chosen), 1))
        labels[head] = known[chosen]
    return scores(logits, labels)


def whole(examples: MomentExamples, part: str) -> np.ndarray:
    """Indices of a part's moments that have all streams."""
    chosen = examples.indices(part)
    there = np.all([present[chosen] for present in examples.present.values()], axis=0)
    found: np.ndarray = chosen[there]
    return found


def rows_of(seeds: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Rows of a table, from scores by part and title of each seed."""
    titles = dict.fromkeys(title for seed in seeds for found in seed.values() for title in found)
    return [
        {
            "variant": title,
            "condition": "",
            "seeds": [{part: found[title] for part, found in seed.items()} for seed in seeds],
        }
        for title in titles
    ]


def kept_share(found: Mapping[str, Any], part: str) -> dict[str, dict[str, float]]:
    """By row and head, what is left of the accuracy of all senses above the majority's.

    Args:
        found: With `rows`.
        part: Of the scores.
    """
    means = {
        row["variant"]: {
            head: float(np.mean([seed[part][head]["accuracy"] for seed in row["seeds"]]))
            for head in row["seeds"][0][part]
        }
        for row in found["rows"]
    }
    full, least = means[ALL], means[MAJORITY]
    return {
        title: {h: (x - least[h]) / (full[h] - least[h]) for h, x in heads.items()}
        for title, heads in means.items()
        if title not in (ALL, MAJORITY)
    }


def page(found: Mapping[str, Any], name: str) -> str:
    """Markdown: scores of all rows, and what is left without some of the senses."""
    heads = list(found["rows"][0]["seeds"][0][found["parts"][-1]])
    columns = [(head, score, title) for head in heads for score, title in COLUMNS]
    blocks = [f"# {name}"]
    for part in reversed(found["parts"]):
        counts = found["rows"][0]["seeds"][0][part]
        told = ", ".join(f"{counts[head]['count']} of {head}" for head in heads)
        blocks += [
            f"## {part.capitalize()} part",
            scores_table(found, part, columns),
            f"Moments that have all senses: {told}.",
            "What is left of the accuracy of all senses above that of the most common class:",
            _shares(kept_share(found, part), heads),
        ]
    blocks.append(
        "\n".join(
            f"- {line}"
            for line in (
                "One network answers from whatever is there; a subset's temperature was fitted on "
                "the validation part with the other senses hidden.",
                "Alone: a network that was trained with that sense only, in the same way.",
                f"Means over {len(found['rows'][0]['seeds'])} seeds, ± half the range. "
                f"Data: {', '.join(found['data'])}; encoders, frozen: {found['encoders']}.",
            )
        )
    )
    return "\n\n".join(blocks) + "\n"


def _shares(shares: Mapping[str, Mapping[str, float]], heads: Sequence[str]) -> str:
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for title, by_head in shares.items():
        cells = " | ".join(f"{by_head[head]:.0%}" for head in heads)
        lines.append(f"| {title} | {cells} |")
    return "\n".join(lines)


def save(found: Mapping[str, Any], stem: Path) -> None:
    """Write what was found as JSON, and its page as Markdown."""
    save_text(stem.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    save_text(stem.with_suffix(".md"), page(found, stem.name))
