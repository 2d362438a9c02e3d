"""What a joint space is good for, by one moment of each instance of a part."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xmodal_ros.data.visual_tactile.example import TRAIN
from xmodal_ros.train.joint.captions import ACTIVITY, MATERIAL, prompts
from xmodal_ros.train.joint.measure import alignment, chance_distance, gaps, recall, zero_shot
from xmodal_ros.train.joint.model import TEXT, JointSpace
from xmodal_ros.train.joint.run import Material, embed, first_stream

ASKED = {MATERIAL: ("camera", "tactile"), ACTIVITY: ("camera", "imu", "lidar")}
"""By head, the modalities that text is asked with: each alone, and the mean of all."""


@dataclass(frozen=True, eq=False)
class PartViews:
    """Views of one moment of each of M instances, by modality and of text."""

    moments: np.ndarray
    """`(M,) int64`, rows of the data set's moments."""
    captions: np.ndarray
    """`(M,) int64`, the caption that says most, -1 where none is true."""
    embeddings: Mapping[str, np.ndarray]
    """By modality `(M, dim) float32`."""
    present: Mapping[str, np.ndarray]
    """By modality `(M,) bool`."""
    every: Mapping[str, np.ndarray]
    """Embeddings of all moments by stream, and of all captions as text."""


def score(
    model: JointSpace, material: Material, part: str, centred: bool = False
) -> dict[str, Any]:
    """Gap, retrieval and zero-shot classification.

    Args:
        model: In evaluation mode.
        material: Its moments and captions.
        part: Which.
        centred: Whether each modality's mean over the training part is taken away first: what
            closes a gap without learning.
    """
    moments, streams = material.moments, first_stream(material)
    views = views_of(model, material, part, centred)
    chosen, captions, of, there = views.moments, views.captions, views.embeddings, views.present
    seen = {m: x[there[m]] for m, x in of.items()}
    found = gaps(seen, (TEXT,))
    recordings = moments.recordings[chosen]
    found["chance_distance"] = chance_distance(seen, {m: recordings[there[m]] for m in of})
    same = {m: _same(material, s, chosen) for m, s in streams.items()}
    pairs: dict[str, Any] = {}
    for a, b in itertools.permutations(of, 2):
        both = np.flatnonzero(there[a] & there[b])
        if TEXT in (a, b):
            true = material.captions.true[np.ix_(captions[both], chosen[both])]  # text by moment
            relevant = true if a == TEXT else true.T
        else:
            relevant = (same[a] | same[b])[np.ix_(both, both)]
        pairs[f"{a} to {b}"] = recall(of[a][both], of[b][both], relevant)
    sensed = itertools.combinations(streams, 2)
    found["alignment"] = float(
        np.mean([alignment(of[a][there[a] & there[b]], of[b][there[a] & there[b]])
                 for a, b in sensed])
    )  # fmt: skip
    return {
        **found,
        "instances": len(chosen),
        "recall": pairs,
        "zero_shot": _by_text(material, views.every, chosen, streams, there),
    }


def views_of(model: JointSpace, material: Material, part: str, centred: bool = False) -> PartViews:
    """Embed a part's instances, each by its middle moment; see `score` for the arguments."""
    moments, every = material.moments, embed(model, material)
    if centred:
        every = {name: _centred(x, _train(material, name, x)) for name, x in every.items()}
    chosen, streams = middle(material, part), first_stream(material)
    captions = np.array([_caption(material, row) for row in chosen])
    there = {m: moments.present[s][chosen] for m, s in streams.items()} | {TEXT: captions >= 0}
    of = {m: every[s][chosen] for m, s in streams.items()}
    of[TEXT] = every[TEXT][np.maximum(captions, 0)]
    return PartViews(chosen, captions, of, there, every)


def middle(material: Material, part: str) -> np.ndarray:
    """The middle moment of each instance of a part `(M,) int64`."""
    rows = material.moments.indices(part)
    numbers = material.moments.instances[rows]
    return np.array([rows[numbers == n][(numbers == n).sum() // 2] for n in np.unique(numbers)])


def _train(material: Material, name: str, rows: np.ndarray) -> np.ndarray:
    if name == TEXT:
        return rows
    moments = material.moments
    return rows[(moments.parts == TRAIN) & moments.present[name]]


def _centred(rows: np.ndarray, train: np.ndarray) -> np.ndarray:
    moved = rows - train.mean(0)
    made: np.ndarray = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return made


def _caption(material: Material, row: int) -> int:
    """The caption that says most of those that are true, -1 if none is."""
    true = np.flatnonzero(material.captions.true[:, row])
    if not len(true):
        return -1
    return int(max(true, key=lambda k: (len(material.captions.facts[k]), -k)))


def _same(material: Material, stream: str, chosen: np.ndarray) -> np.ndarray:
    """Which of the chosen moments are one, or have the same data of a stream `(M, M) bool`."""
    moments = material.moments
    recordings, sensed = moments.recordings[chosen], moments.sensed_ns[stream][chosen]
    equal = (recordings[:, None] == recordings) & (sensed[:, None] == sensed)
    return equal | np.eye(len(chosen), dtype=bool)


def _by_text(
    material: Material,
    every: Mapping[str, np.ndarray],
    chosen: np.ndarray,
    streams: Mapping[str, str],
    there: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    found = {}
    rows_of = {text: row for row, text in enumerate(material.captions.texts)}
    for head, modalities in ASKED.items():
        if head not in material.moments.facts:
            continue
        facts = material.moments.facts[head][chosen]
        names = sorted(set(material.moments.facts[head]) - {""})
        # What says nothing but the class is a caption of the class's moments, too.
        texts = [[rows_of[text] for text in told] for told in prompts(head, names)]
        views = [every[TEXT][rows].mean(0) for rows in texts]
        place = {name: k for k, name in enumerate(names)}
        known = np.array([place.get(fact, -1) for fact in facts])
        used = [m for m in modalities if m in streams]
        asked = {m: (every[streams[m]][chosen], there[m]) for m in used}
        if len(used) > 1:
            sums = sum(asked[m][0] * asked[m][1][:, None] for m in used)
            asked[" and ".join(used)] = (np.asarray(sums), np.any([asked[m][1] for m in used], 0))
        for title, (vectors, seen) in asked.items():
            rows_known = seen & (known >= 0)
            found[f"{head} by {title}"] = zero_shot(
                vectors[rows_known], _unit(np.stack(views)), known[rows_known]
            )
    return found


def _unit(rows: np.ndarray) -> np.ndarray:
    made: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return made
