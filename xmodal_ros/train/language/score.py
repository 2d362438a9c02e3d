"""Asks a miniature about moments it has not seen, and reads what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from xmodal_ros.nn.network import Network
from xmodal_ros.runtime.language.model import LanguageModel
from xmodal_ros.runtime.language.reader import Encoded, Reader
from xmodal_ros.train.language.moments import ACTIVITY, CAMERA, IMU, MATERIAL, Moments
from xmodal_ros.train.language.questions import (
    DOING,
    KINDS,
    YES,
    Asked,
    activities_in,
    ask,
    materials_in,
    materials_of,
    same,
)
from xmodal_ros.train.touch.calibrate import least_confidence

MAX_TOKENS = 24
"""More than any true answer has."""


@dataclass(frozen=True)
class Condition:
    """What the model reads besides the question."""

    title: str
    streams: tuple[str, ...]
    adapted: bool = True
    """Whether what `adapt` has trained is used; else only the IMU's aligned embedding."""


CONDITIONS = (
    Condition("text only", ()),
    Condition("vision", (CAMERA,)),
    Condition("IMU, aligned only", (IMU,), adapted=False),
    Condition("vision + IMU, aligned only", (CAMERA, IMU), adapted=False),
    Condition("IMU, adapter trained", (IMU,)),
    Condition("vision + IMU, adapter trained", (CAMERA, IMU)),
)
SERVED = ("vision", "IMU, adapter trained", "vision + IMU, adapter trained")
"""What a describer may be asked with, on which its threshold is fitted."""


@dataclass(frozen=True)
class Reply:
    """What was said, and whether it is so."""

    kind: str
    activity: str
    """True activity of the moment."""
    text: str
    confidence: float
    right: bool
    absent: bool
    """Whether the question was about something that is not there."""
    invented: bool
    """Whether the answer names an activity or a material that is not there, or says yes to one."""


def replies(
    language: LanguageModel,
    reader: Reader,
    encoded: Mapping[str, Encoded],
    moments: Moments,
    chosen: np.ndarray,
    condition: Condition,
    materials: Sequence[str],
) -> list[Reply]:
    """Ask every kind of question about moments; the same ones under all conditions.

    Args:
        language: Is asked.
        reader: Its own.
        encoded: Of the chosen moments, by stream.
        moments: All of them.
        chosen: Rows `(M,)`.
        condition: What is read.
        materials: Names of all materials.
    """
    latents = _latents(language, reader, encoded, condition, len(chosen))
    rng = np.random.default_rng(0)
    found: list[Reply] = []
    for kind in KINDS:
        by_question: dict[str, list[tuple[int, Asked]]] = {}
        for place, row in enumerate(chosen.tolist()):
            asked = ask(kind, _facts(moments, row), rng, materials)
            if asked is not None:
                by_question.setdefault(asked.question, []).append((place, asked))
        for question, members in by_question.items():
            places = [place for place, _ in members]
            answers = language.answer(question, latents[places], MAX_TOKENS)
            for (place, asked), answer in zip(members, answers, strict=True):
                facts = _facts(moments, int(chosen[place]))
                found.append(judge(asked, facts, answer.text, answer.confidence, materials))
    return found


def judge(
    asked: Asked, facts: Mapping[str, str], text: str, confidence: float, materials: Sequence[str]
) -> Reply:
    """Read an answer: by the activity or material that it names, else by its words."""
    strange = activities_in(text) - {facts[ACTIVITY]}
    strange |= materials_in(text, materials) - {facts[MATERIAL]}
    right = same(text, asked.answer)
    if asked.kind == "activity":
        right = activities_in(text) == {facts[ACTIVITY]}
    elif asked.kind == "material" and facts[MATERIAL]:
        right = materials_in(text, materials) == {facts[MATERIAL]}
    agreed = asked.absent and same(text, YES)
    return Reply(
        asked.kind, facts[ACTIVITY], text, confidence, right, asked.absent, bool(strange) or agreed
    )


def majority(moments: Moments, chosen: np.ndarray) -> dict[str, float]:
    """Accuracy, by kind, of the answer that is the commonest one among the chosen moments."""
    materials = materials_of(moments)
    rng, answers = np.random.default_rng(0), dict[str, list[str]]()
    for row in chosen.tolist():
        for kind in KINDS:
            asked = ask(kind, _facts(moments, row), rng, materials)
            if asked is not None:
                answers.setdefault(kind, []).append(asked.answer)
    return {kind: Counter(said).most_common(1)[0][1] / len(said) for kind, said in answers.items()}


def classifier_accuracy(
    network: Network,
    encoded: Mapping[str, Encoded],
    moments: Moments,
    chosen: np.ndarray,
    streams: Sequence[str],
) -> float:
    """Balanced accuracy of the activity head, which answers without words, reading `streams`."""
    present = torch.tensor([[float(s in streams) for s in (CAMERA, IMU)]]).expand(len(chosen), -1)
    with torch.no_grad():
        logits, _ = network.heads[ACTIVITY]([encoded[CAMERA], encoded[IMU]], present)
    said = np.array(list(DOING))[logits.argmax(1).numpy()]
    true = moments.facts[ACTIVITY][chosen]
    return float(np.mean([(said == true)[true == name].mean() for name in sorted(set(true))]))


def threshold(found: Sequence[Reply], kept_accuracy: float) -> float:
    """Least confidence from which on answers are right so often."""
    confidence = np.array([reply.confidence for reply in found])
    right = np.array([reply.right for reply in found])
    return least_confidence(confidence, right, kept_accuracy)


def measures(
    found: Sequence[Reply], abstain_below: float, kinds: Iterable[str] = KINDS
) -> dict[str, dict[str, float | None]]:
    """By kind of question: accuracy and invented answers, with and without abstaining."""
    return {kind: _of([r for r in found if r.kind == kind], abstain_below) for kind in kinds}


def chosen_moments(moments: Moments, part: str, most: int) -> np.ndarray:
    """At most so many of each activity, drawn without regard to anything else `(M,) int64`."""
    rng, rows = np.random.default_rng(0), moments.indices(part)
    activities = moments.facts[ACTIVITY][rows]
    kept = [rng.permutation(rows[activities == name])[:most] for name in sorted(set(activities))]
    return np.sort(np.concatenate(kept))


def _of(found: Sequence[Reply], abstain_below: float) -> dict[str, float | None]:
    right = np.array([reply.right for reply in found])
    invented = np.array([reply.invented for reply in found])
    answered = np.array([reply.confidence >= abstain_below for reply in found])
    activities = np.array([reply.activity for reply in found])
    recalls = [right[activities == name].mean() for name in sorted(set(activities))]
    absent = np.array([reply.absent for reply in found])
    asked = absent if absent.any() else np.ones_like(absent)  # what can be invented about
    return {
        "count": len(found),
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean(recalls)),
        "invented": float(invented[asked].mean()),
        "answered": float(answered.mean()),
        "accuracy_answered": float(right[answered].mean()) if answered.any() else None,
        "invented_abstaining": float((invented & answered)[asked].mean()),
    }


def _latents(
    language: LanguageModel,
    reader: Reader,
    encoded: Mapping[str, Encoded],
    condition: Condition,
    count: int,
) -> Tensor:
    if not condition.streams:
        return torch.zeros(count, 0, language.hidden)
    shown = {stream: encoded[stream] for stream in condition.streams}
    masks = {}
    if IMU in shown and not condition.adapted:
        masks[IMU] = torch.zeros(shown[IMU][0].shape[:2])
    with torch.inference_mode():
        latents: Tensor = reader(shown, masks, condition.adapted)
    return latents


def _facts(moments: Moments, row: int) -> dict[str, str]:
    return {head: str(values[row]) for head, values in moments.facts.items()}
