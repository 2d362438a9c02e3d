"""Joint spaces as maps (UMAP): is what lies together of one modality, or of one meaning?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from xmodal_ros.train import maps
from xmodal_ros.train.joint.captions import ACTIVITY
from xmodal_ros.train.joint.model import JointSpace
from xmodal_ros.train.joint.run import Material
from xmodal_ros.train.joint.score import views_of
from xmodal_ros.train.maps import Map

MODALITY = "modality"
MOMENTS = 200
"""That are drawn, spread over a part."""


def locate(model: JointSpace, material: Material, part: str) -> dict[str, Any]:
    """Places of all views of one moment of some instances of a part.

    Returns:
        `places` (N, 2), and by what points are coloured: `kinds` (N,) and their `names`.
    """
    with warnings.catch_warnings():  # that a seed leaves one thread
        warnings.simplefilter("ignore")
        from umap import UMAP

        views = views_of(model, material, part)
        some = np.zeros(len(views.moments), bool)
        some[:: -(-len(some) // MOMENTS)] = True
        there = {m: present & some for m, present in views.present.items()}
        rows = np.concatenate([x[there[m]] for m, x in views.embeddings.items()])
        places = UMAP(metric="cosine", random_state=0).fit_transform(rows)
    found: dict[str, Any] = {"places": np.round(places, 2).tolist()}
    told = {MODALITY: np.repeat(list(there), [x.sum() for x in there.values()])}
    if ACTIVITY in material.moments.facts:
        moments = np.concatenate([views.moments[x] for x in there.values()])
        told[ACTIVITY] = material.moments.facts[ACTIVITY][moments]
    for title, values in told.items():
        names, kinds = np.unique(values, return_inverse=True)
        found[title] = {"names": names.tolist(), "kinds": kinds.reshape(-1).tolist()}
    return found


def draw(spaces: Mapping[str, Mapping[str, Any]]) -> str:
    """SVG: a row of maps for each space.

    Args:
        spaces: By title, from `locate`.
    """
    rows = [
        [
            Map(f"{title}, by {by}", found["places"], found[by]["kinds"], found[by]["names"])
            for by in found
            if by != "places"
        ]
        for title, found in spaces.items()
    ]
    return maps.draw(rows, "Joint spaces of all senses and text")
