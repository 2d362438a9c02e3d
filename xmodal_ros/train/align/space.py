"""The joint space of vision and IMU before and after alignment: a t-SNE map and its measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from xmodal_ros.data.visual_tactile.example import TEST
from xmodal_ros.train import maps
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.run import AlignRun
from xmodal_ros.train.align.score import embed, modality_gap
from xmodal_ros.train.maps import Map

PAIRS = 300
"""Windows with their image that are drawn."""
PERPLEXITY = 30.0
MODALITIES = ("camera", "IMU")


def measure_space(run: AlignRun, examples: AlignExamples, seed: int = 0) -> dict[str, Any]:
    """Map and measures of test windows and their images.

    Args:
        run: Whose encoders make the space.
        examples: With a test part that has labels and images.
        seed: Of what is drawn, and of t-SNE.

    Returns:
        `silhouette` by modality and by activity (of all, and of each modality by itself), in the
        embedding space by cosine distance; `modality_gap`; and of `points` their place in the
        map `(2 * PAIRS, 2)`, modality and activity.
    """
    chosen = examples.indices(TEST, labelled=True, seen=True)
    drawn = np.random.default_rng(seed).permutation(chosen)[:PAIRS]
    vision = examples.vision_embeddings(run.model.vision).numpy()[drawn]
    imu = embed(run.model, examples.windows[drawn])
    both = np.concatenate([vision, imu])
    labels = examples.labels[drawn]
    modality = np.repeat([0, 1], len(drawn))
    perplexity = min(PERPLEXITY, (len(both) - 1) / 3)
    places = TSNE(perplexity=perplexity, metric="cosine", init="pca", random_state=seed)
    return {
        "silhouette": {
            "modality": _silhouette(both, modality),
            "activity": _silhouette(both, np.tile(labels, 2)),
            "activity, camera": _silhouette(vision, labels),
            "activity, IMU": _silhouette(imu, labels),
        },
        "modality_gap": modality_gap(imu, vision),
        "points": {
            "places": np.round(places.fit_transform(both), 2).tolist(),
            "modality": modality.tolist(),
            "activity": np.tile(labels, 2).tolist(),
        },
    }


def draw(spaces: Mapping[str, Mapping[str, Any]], classes: tuple[str, ...]) -> str:
    """SVG: a row of maps for each space, coloured by modality and by activity.

    Args:
        spaces: By title, from `measure_space`.
        classes: Names of the activities.
    """
    columns = (("modality", MODALITIES), ("activity", classes))
    rows = [
        [
            Map(f"{title}, by {kind}", found["points"]["places"], found["points"][kind], names)
            for kind, names in columns
        ]
        for title, found in spaces.items()
    ]
    return maps.draw(rows, "Joint space of camera and IMU")


def _silhouette(points: np.ndarray, labels: np.ndarray) -> float:
    return float(silhouette_score(points, labels, metric="cosine"))
