"""The joint space of vision and IMU before and after alignment: a t-SNE map and its measures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from xmodal_ros.data.visual_tactile.example import TEST
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.run import AlignRun
from xmodal_ros.train.align.score import embed, modality_gap

PAIRS = 300
"""Windows with their image that are drawn."""
PERPLEXITY = 30.0
MODALITIES = ("camera", "IMU")
SIDE, GAP, HEAD = 300, 24, 46
"""Pixels: side of a map, space between maps, and what is above them."""
COLOURS = (
    "#2c6fbb", "#d1495b", "#3a7d44", "#e08e1b", "#7b4ea3", "#1f9e9e", "#8c564b", "#c95d9b",
    "#7a8a12", "#5d6b7c",
)  # fmt: skip


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
    maps = []
    for row, (title, space) in enumerate(spaces.items()):
        for column, (kind, names) in enumerate((("modality", MODALITIES), ("activity", classes))):
            x, y = column * (SIDE + GAP) + GAP, row * (SIDE + HEAD) + HEAD
            points = space["points"]
            maps.append(
                {
                    "title": f"{title}, by {kind}",
                    "x": x,
                    "y": y,
                    "dots": _dots(points["places"], points[kind], x, y),
                    "legend": [
                        {"name": name, "colour": COLOURS[k % len(COLOURS)]}
                        for k, name in enumerate(names)
                    ],
                }
            )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("space.svg.j2").render(
        maps=maps,
        side=SIDE,
        width=2 * (SIDE + GAP) + GAP + 110,
        height=len(spaces) * (SIDE + HEAD) + GAP,
    )


def _dots(places: list[list[float]], kinds: list[int], x: float, y: float) -> list[dict[str, Any]]:
    where = np.array(places)
    low, high = where.min(0), where.max(0)
    scaled = (where - low) / np.maximum(high - low, 1e-9) * (SIDE - 16) + 8
    return [
        {
            "x": round(x + float(px), 1),
            "y": round(y + float(py), 1),
            "colour": COLOURS[kind % len(COLOURS)],
        }
        for (px, py), kind in zip(scaled, kinds, strict=True)
    ]


def _silhouette(points: np.ndarray, labels: np.ndarray) -> float:
    return float(silhouette_score(points, labels, metric="cosine"))
