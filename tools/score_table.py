"""The table of a card: test scores by data set and head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

SCORES = {"accuracy": "accuracy", "balanced_accuracy": "balanced", "auc": "AUC", "ece": "ECE"}


def score_table(made: Mapping[str, Any], unit: str) -> str:
    """Markdown: mean over seeds and half the range between them.

    Args:
        made: `data`, names of the data sets, and `seeds`, scores by data set and head of each; a
            data set that has no test part is in none.
        unit: What is counted.
    """
    lines = [f"| data | head | {unit} | {' | '.join(SCORES.values())} |"]
    lines.append("|---" * (3 + len(SCORES)) + "|")
    for name in [name for name in made["data"] if name in made["seeds"][0]]:
        for head in made["seeds"][0][name]:
            rows = [seed[name][head] for seed in made["seeds"]]
            cells = []
            for score in SCORES:
                values = [row[score] for row in rows]
                cells.append(f"{np.mean(values):.3f} ± {(max(values) - min(values)) / 2:.3f}")
            lines.append(f"| {name} | {head} | {rows[0]['count']} | {' | '.join(cells)} |")
    return "\n".join(lines)
