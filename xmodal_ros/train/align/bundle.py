"""From runs with one head each to one bundle: a robot's activities and a person's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.core.types import Order
from xmodal_ros.data.visual_tactile.example import TRAIN
from xmodal_ros.nn.network import Network, build_network
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import HeadCard
from xmodal_ros.runtime.ood import branch_feature, fit_branch, fit_statistics, look
from xmodal_ros.runtime.save import save_bundle
from xmodal_ros.train.align.combine import HEAD, IMU, CombinedRun, Windows
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.settings import AlignSettings
from xmodal_ros.train.touch.bundle import describe

DIGITS = 4
"""Of rates, as `bundle.yaml` has them."""


@dataclass(frozen=True)
class Part:
    """A run that becomes a head of the bundle.

    Raises:
        SettingsError: by `write_bundle`, if trunks differ.
    """

    head: str
    """Its name in the bundle."""
    run: CombinedRun
    of: AlignSettings
    """Of its encoders."""
    examples: AlignExamples
    streams: Mapping[str, str]
    """Names in the bundle by the run's own; a sensor elsewhere is another stream."""
    training: Mapping[str, Any]
    """Data, seed and the like, for whoever reads the bundle."""
    metrics: Mapping[str, Any]
    order: Order | None = None
    """How its activities follow one another, where a node is to go by it."""


def write_bundle(parts: Sequence[Part], path: Path, *, licence: str, card: str) -> Bundle:
    """Write the runs as a bundle; they must share the trunk.

    Args:
        parts: One per head.
        path: Folder; its name becomes the bundle's id.
        licence: Of the weights.
        card: Text of README.md.
    """
    architecture = merged(parts)
    network = build_network(architecture)
    for part in parts:
        _copy(part, network)
    statistics, sensors = {}, {}
    for part in parts:
        train = part.examples.indices(TRAIN, labelled=True)
        read = Windows(part.examples, part.run.settings.streams)
        features, embeddings = describe(part.run.network, read, train)
        statistics[part.head] = fit_statistics(features[HEAD], part.examples.labels[train])
        if IMU in part.streams:  # images are not kept beside their features
            looks = np.stack([look(window) for window in part.examples.windows[train]])
            sensors[part.streams[IMU]] = fit_branch(branch_feature(embeddings[IMU], looks))
    return save_bundle(
        path,
        name=path.name,
        network=network.eval(),
        architecture=architecture,
        heads={
            part.head: HeadCard(
                task="activity",
                labels=part.examples.classes,
                temperature=part.run.record["temperature"],
                **_of_order(part.order),
            )
            for part in parts
        },
        spaces=[
            sorted(part.streams.values())
            for part in parts
            if len(part.streams) > 1 and part.of.loss.contrastive
        ],
        licence=licence,
        card=card,
        training={part.head: part.training for part in parts},
        metrics={part.head: part.metrics for part in parts},
        statistics=statistics,
        branch_statistics=sensors,
    )


def _of_order(order: Order | None) -> dict[str, Any]:
    if order is None:
        return {}
    rates = tuple(tuple(row) for row in np.round(order.rates, DIGITS).tolist())
    return {"rates": rates, "evidence_s": order.evidence_s}


def merged(parts: Sequence[Part]) -> dict[str, Any]:
    """One architecture with the branches, streams and heads of all runs."""
    made: dict[str, Any] = {}
    for part in parts:
        own = part.run.settings.architecture(part.of, len(part.examples.classes))
        names = part.streams
        made = {
            **own,
            "branches": {
                **made.get("branches", {}),
                **{names[name]: branch for name, branch in own["branches"].items()},
            },
            "streams": {**made.get("streams", {}), **{n: n for n in names.values()}},
            "heads": {
                **made.get("heads", {}),
                part.head: {
                    "classes": len(part.examples.classes),
                    "streams": [names[name] for name in own["heads"][HEAD]["streams"]],
                },
            },
        }
    return made


def _copy(part: Part, network: Network) -> None:
    for own, name in part.streams.items():
        network.branches[name].load_state_dict(part.run.network.branches[own].state_dict())
    network.heads[part.head].load_state_dict(part.run.network.heads[HEAD].state_dict())
