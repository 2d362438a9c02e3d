"""Questions about a moment, their true answers, and what an answer says when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile.example import TRAIN
from xmodal_ros.train.language.moments import ACTIVITY, GRASP, MATERIAL, Moments

DOING = {
    "idle": "waiting",
    "reach": "reaching",
    "press": "pressing the object",
    "slide": "sliding over the object",
    "grasp": "grasping the object",
    "lift": "lifting the object",
    "shake": "shaking the object",
    "place": "placing the object",
    "handover": "handing over the object",
    "collision": "colliding",
}
"""What is said of an activity; its first word is said of no other."""
STILL, MOVING = ("idle", "press", "grasp"), ("reach", "slide", "lift", "shake", "place")
"""Of handover and collision neither is asked: the hand may do both."""
GRASPED = {"success": "it is held.", "fail": "it is lost.", "": "nothing is grasped."}
NOTHING, YES, NO = "nothing", "yes.", "no."

Facts = Mapping[str, str]
"""Of one moment: activity, material and grasp, the latter two empty where there is none."""
Made = tuple[str, str, bool]
"""What `{}` in the question stands for, the answer, and whether what is asked about is absent."""
Maker = Callable[[Facts, np.random.Generator, Sequence[str]], "Made | None"]
"""From facts, with all materials; None where the question has no answer."""


@dataclass(frozen=True)
class Asked:
    """A question and its true answer."""

    kind: str
    question: str
    answer: str
    absent: bool
    """Whether it is about something that is not there."""


def _doing(facts: Facts, rng: np.random.Generator, materials: Sequence[str]) -> Made:
    return "", f"it is {DOING[facts[ACTIVITY]]}.", False


def _is_doing(facts: Facts, rng: np.random.Generator, materials: Sequence[str]) -> Made:
    """About what is done as often as about something else."""
    done = facts[ACTIVITY]
    name = done if rng.random() < 0.5 else str(rng.choice([a for a in DOING if a != done]))
    return DOING[name], YES if name == done else NO, name != done


def _touches(facts: Facts, rng: np.random.Generator, materials: Sequence[str]) -> Made:
    return "", f"it touches {said(facts[MATERIAL])}.", False


def _is_touching(facts: Facts, rng: np.random.Generator, materials: Sequence[str]) -> Made:
    """About what is touched, if anything is, as often as about another material."""
    there = facts[MATERIAL]
    if not there or rng.random() < 0.5:
        name = str(rng.choice([m for m in materials if m != there]))
        return said(name), NO, True
    return said(there), YES, False


def _grasped(facts: Facts, rng: np.random.Generator, materials: Sequence[str]) -> Made:
    return "", GRASPED[facts[GRASP]], False


def _moves(facts: Facts, rng: np.random.Generator, materials: Sequence[str]) -> Made | None:
    if facts[ACTIVITY] in STILL + MOVING:
        return "", YES if facts[ACTIVITY] in MOVING else NO, False
    return None


def _caption(facts: Facts, rng: np.random.Generator, materials: Sequence[str]) -> Made:
    touched = f"it touches {said(facts[MATERIAL])}."
    return "", f"it is {DOING[facts[ACTIVITY]]}. {touched} {GRASPED[facts[GRASP]]}", False


KINDS: dict[str, tuple[Maker, tuple[str, ...]]] = {
    "activity": (
        _doing,
        (
            "what is the robot doing?",
            "which activity is this?",
            "what does the robot do now?",
            "what is happening?",
        ),
    ),
    "is activity": (
        _is_doing,
        ("is the robot {}?", "would you say that it is {}?", "is it {} now?"),
    ),
    "material": (
        _touches,
        ("what does it touch?", "which material is touched?", "what is it made of?"),
    ),
    "is material": (
        _is_touching,
        ("does it touch {}?", "is {} touched?", "is the material {}?"),
    ),
    "grasp": (
        _grasped,
        ("is the object held?", "how did the grasp end?", "is there something in the hand?"),
    ),
    "motion": (_moves, ("is the robot moving?", "does the arm move?", "is it in motion?")),
    "caption": (_caption, ("describe the scene.", "what do you notice?", "tell me all of it.")),
}
"""By kind, how its answer is made, and wordings: training draws one, tests ask the first."""


def ask(
    kind: str,
    facts: Facts,
    rng: np.random.Generator,
    materials: Sequence[str],
    any_wording: bool = False,
) -> Asked | None:
    """A question about a moment; None where the kind does not apply to it.

    Args:
        kind: One of `KINDS`.
        facts: Of the moment.
        rng: What is drawn from.
        materials: Names of all materials.
        any_wording: Draw the wording, in place of the first.
    """
    make, wordings = KINDS[kind]
    made = make(facts, rng, materials)
    if made is None:
        return None
    filler, answer, absent = made
    wording = wordings[rng.integers(len(wordings))] if any_wording else wordings[0]
    return Asked(kind, wording.format(filler), answer, absent)


def materials_of(moments: Moments) -> list[str]:
    """Names of all materials that are touched in training, sorted.

    Raises:
        DataError: there are fewer than two, or an activity is none of the simulated cell's.
    """
    strange = sorted(set(moments.facts[ACTIVITY].tolist()) - set(DOING))
    if strange:
        raise DataError(
            f"nothing is known to say of '{strange[0]}'",
            where="activities",
            expected="those of the simulated cell: " + ", ".join(DOING),
        )
    found = sorted(set(moments.facts[MATERIAL][moments.indices(TRAIN)].tolist()) - {""})
    if len(found) < 2:
        raise DataError(
            f"{len(found)} of them touched in training", where="materials", expected="at least 2"
        )
    return found


def classes_of(materials: Sequence[str]) -> dict[str, list[str]]:
    """By head, what can be true of a moment."""
    return {ACTIVITY: list(DOING), MATERIAL: ["", *materials], GRASP: list(GRASPED)}


def said(material: str) -> str:
    """A material's name in a sentence."""
    return material.replace("_", " ") or NOTHING


def every_text(materials: Sequence[str]) -> list[str]:
    """All that is asked and answered, for the tokenizer."""
    fillers = [*DOING.values(), *map(said, materials)]
    asked = [
        w.format(f)
        for _, ws in KINDS.values()
        for w in ws
        for f in (fillers if "{}" in w else [""])
    ]
    answers = [f"it is {doing}." for doing in DOING.values()]
    answers += [f"it touches {said(m)}." for m in ("", *materials)]
    return [*asked, *answers, *GRASPED.values(), YES, NO]


def activities_in(text: str) -> set[str]:
    """Activities that an answer names."""
    words = set(_words(text))
    return {name for name, doing in DOING.items() if doing.split()[0] in words}


def materials_in(text: str, materials: Sequence[str]) -> set[str]:
    """Materials that an answer names."""
    plain = f" {' '.join(_words(text))} "
    return {name for name in materials if f" {said(name)} " in plain}


def same(first: str, second: str) -> bool:
    """Whether two answers have the same words."""
    return _words(first) == _words(second)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()
