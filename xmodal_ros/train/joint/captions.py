"""Captions made of labels, and of which moments each of them is true."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ACTIVITY, MATERIAL = "activity", "material"
DOING = (
    "the robot is busy with {activity}",
    "an arm during {activity}",
    "this is what {activity} looks and feels like",
)
TOUCHING = (
    "touching {material}",
    "the fingers are on {feel} {material}",
    "a {feel} surface made of {material}",
)
BOTH = ("the robot is busy with {activity}, touching {material}",)
FEEL = ("hardness", "roughness")


@dataclass(frozen=True, eq=False)
class Captions:
    """Every caption of a data set."""

    texts: tuple[str, ...]
    facts: tuple[tuple[tuple[str, str], ...], ...]
    """What each says: (head, label)."""
    true: np.ndarray
    """`(captions, moments) bool`."""


def caption(facts: Mapping[str, np.ndarray]) -> Captions:
    """Make the captions of moments.

    Args:
        facts: By head `(N,)` of text, empty where nothing is known.

    Returns:
        Each caption once; a label's underscores are spaces in it.
    """
    count = len(next(iter(facts.values())))
    made: dict[str, tuple[tuple[str, str], ...]] = {}
    for heads, templates in (((ACTIVITY,), DOING), ((MATERIAL, *FEEL), TOUCHING),
                             ((ACTIVITY, MATERIAL), BOTH)):  # fmt: skip
        known = [head for head in heads if head in facts]
        if heads[0] not in known:
            continue
        for labels in sorted(set(zip(*(facts[head].tolist() for head in known), strict=True))):
            said = dict(zip(known, labels, strict=True))
            for template in templates:
                text, used = _filled(template, said)
                if text:
                    made[text] = used
    true = np.ones((len(made), count), bool)
    for row, used in enumerate(made.values()):
        for head, label in used:
            true[row] &= facts[head] == label
    return Captions(tuple(made), tuple(made.values()), true)


def _filled(template: str, said: Mapping[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A caption and what it says; empty where a label that it needs is not known."""
    heads = [head for head in (ACTIVITY, MATERIAL) if f"{{{head}}}" in template]
    if not heads or any(not said.get(head) for head in heads):
        return "", ()
    feel = [head for head in FEEL if said.get(head)] if "{feel}" in template else []
    if "{feel}" in template and not feel:
        return "", ()
    words = {head: said[head].replace("_", " ") for head in heads}
    text = template.format(**words, feel=" and ".join(said[head] for head in feel))
    return text, tuple((head, said[head]) for head in itertools.chain(heads, feel))


def prompts(head: str, labels: Sequence[str]) -> list[list[str]]:
    """For each label the captions that say nothing else, to be averaged.

    Raises:
        ValueError: no caption is about the head.
    """
    templates = {ACTIVITY: DOING, MATERIAL: TOUCHING}.get(head)
    if templates is None:
        raise ValueError(f"no caption is about '{head}'")
    filled = [[_filled(t, {head: label})[0] for t in templates] for label in labels]
    return [[text for text in texts if text] for texts in filled]
