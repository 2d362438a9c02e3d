"""Simple models that every network has to beat, on the same examples and scored alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xmodal_ros.data.visual_tactile.example import TRAIN
from xmodal_ros.nn.network import Network
from xmodal_ros.nn.normalize import normalize
from xmodal_ros.train.touch.examples import TouchExamples
from xmodal_ros.train.touch.score import BATCH, scores

NEIGHBOURS = 5
SMALLEST = 1e-6
"""Least probability of a class, so that its logarithm is finite."""


def score_simple(
    examples: TouchExamples, network: Network, asked: Mapping[str, TouchExamples]
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Scores by model, part and head; every model is fitted on the training part.

    Args:
        examples: With features of the frozen encoder, fitted on.
        network: Its normalizations are those of the networks.
        asked: By part that is scored, such as validation and test, the examples that have it,
            with the same classes.
    """
    places = {part: one.indices(part) for part, one in asked.items()}
    places = {part: some for part, some in places.items() if len(some)}
    train = examples.indices(TRAIN)
    features = {
        name: {
            TRAIN: make(examples, network, train),
            **{part: make(asked[part], network, some) for part, some in places.items()},
        }
        for name, make in FEATURES.items()
    }
    made: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for title, (model, name) in MODELS.items():
        fitted = {
            head: _fitted(model(), features[name][TRAIN], labels[train])
            for head, labels in examples.labels.items()
        }
        made[title] = {}
        for part, some in places.items():
            logits = {
                head: _logits(one, features[name][part], len(examples.heads[head]))
                for head, one in fitted.items()
            }
            labels = {head: known[some] for head, known in asked[part].labels.items()}
            made[title][part] = scores(logits, labels)
    return made


def _fitted(model: Any, features: np.ndarray, labels: np.ndarray) -> Any:
    """A model of what has a label."""
    return model.fit(features[labels >= 0], labels[labels >= 0])


def _logits(model: Any, features: np.ndarray, classes: int) -> np.ndarray:
    """Logarithms of probabilities `(N, C)`; classes that were never trained get the least."""
    made = np.full((len(features), classes), SMALLEST)
    made[:, model.classes_] = np.maximum(model.predict_proba(features), SMALLEST)
    return np.log(made)


def _nothing(examples: TouchExamples, network: Network, chosen: np.ndarray) -> np.ndarray:
    return np.zeros((len(chosen), 1))


def _colour(examples: TouchExamples, network: Network, chosen: np.ndarray) -> np.ndarray:
    """Mean and deviation of each image's channels `(N, F)`."""
    return _moments(examples, chosen, lambda stream, x: x.permute(0, 3, 1, 2).float())


def _normalized_colour(
    examples: TouchExamples, network: Network, chosen: np.ndarray
) -> np.ndarray:
    """The same of what the encoders see."""

    def see(stream: str, images: torch.Tensor) -> torch.Tensor:
        return normalize(images, network.branch(stream).settings.normalization)  # type: ignore[union-attr]

    return _moments(examples, chosen, see)


def _moments(
    examples: TouchExamples,
    chosen: np.ndarray,
    see: Callable[[str, torch.Tensor], torch.Tensor],
) -> np.ndarray:
    parts = []
    for some in _chunks(chosen):
        row = []
        for stream in examples.streams:
            images = examples.images(stream, some)
            flat = torch.from_numpy(images.reshape(-1, *images.shape[2:]))
            x = see(stream, flat).flatten(2)  # (n * T, 3, H * W)
            row.append(torch.cat([x.mean(2), x.std(2)], dim=1).reshape(len(some), -1))
        parts.append(torch.cat(row, dim=1).numpy())
    return np.concatenate(parts)


def _pooled(examples: TouchExamples, network: Network, chosen: np.ndarray) -> np.ndarray:
    """Pooled features of the frozen encoder, all images side by side `(N, F)`."""
    parts = []
    for some in _chunks(chosen):
        pooled = [given[1].flatten(1) for given in examples.batch(some).values()]
        parts.append(torch.cat(pooled, dim=1).numpy())
    return np.concatenate(parts)


def _chunks(chosen: np.ndarray) -> list[np.ndarray]:
    return np.array_split(chosen, -(-len(chosen) // BATCH))


def _majority() -> Any:
    return DummyClassifier(strategy="most_frequent")


def _logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))


def _nearest() -> Any:
    return make_pipeline(StandardScaler(), KNeighborsClassifier(NEIGHBOURS, weights="distance"))


FEATURES: dict[str, Callable[[TouchExamples, Network, np.ndarray], np.ndarray]] = {
    "nothing": _nothing,
    "colour": _colour,
    "normalized colour": _normalized_colour,
    "pooled": _pooled,
}
MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "majority": (_majority, "nothing"),
    "colour only": (_logistic, "colour"),
    "colour only, normalized as for the networks": (_logistic, "normalized colour"),
    f"{NEIGHBOURS} nearest neighbours, frozen features": (_nearest, "pooled"),
    "linear probe, frozen features": (_logistic, "pooled"),
}
"""By title, a model and what it reads."""
