"""From a space and its heads to a bundle of all senses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.data.visual_tactile.example import TRAIN
from xmodal_ros.nn.network import build_network
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import TEXT, HeadCard, PointsCard
from xmodal_ros.runtime.ood import branch_feature, fit_branch, fit_statistics
from xmodal_ros.runtime.save import save_bundle
from xmodal_ros.train.joint.answers import AnswerRun, MomentExamples
from xmodal_ros.train.joint.captions import ACTIVITY
from xmodal_ros.train.joint.moments import Moments
from xmodal_ros.train.joint.run import JointRun
from xmodal_ros.train.touch.bundle import TASKS, describe, fit_subsets

MOST = 4000
"""Moments that statistics are made of, spread over the training part."""


@dataclass(frozen=True)
class Sources:
    """What bundles whose encoders are used know beside them."""

    orders: Mapping[str, HeadCard] = field(default_factory=dict)
    """By head, a card that tells how its classes follow one another."""
    points: Mapping[str, tuple[PointsCard, Mapping[str, Any]]] = field(default_factory=dict)
    """By branch, classes of points, and the state of what classifies them."""


def sources(bundles: Mapping[str, Bundle], run: AnswerRun) -> Sources:
    """Read them from the bundles that a network's encoders come from.

    Args:
        bundles: By branch.
        run: Whose heads and branches they are for; an order of other classes is left out.
    """
    orders: dict[str, HeadCard] = {}
    points = {}
    for name, bundle in bundles.items():
        orders |= {
            head: card
            for head, card in bundle.heads.items()
            if card.rates and run.labels.get(head) == card.labels
        }
        if name in bundle.points:
            classify = bundle.network().branches[name].classify
            assert classify is not None  # where points have classes
            points[name] = bundle.points[name], classify.state_dict()
    return Sources(orders, points)


def write_bundle(
    run: AnswerRun,
    space: JointRun,
    moments: Moments,
    path: Path,
    known: Sources,
    *,
    licence: str,
    metrics: Mapping[str, Any],
    training: Mapping[str, Any],
    card: str,
) -> Bundle:
    """Write heads, encoders and projections; the fusion of training is not in it.

    Args:
        run: Of all streams.
        space: Its space.
        moments: What both learned from.
        path: Folder; its name becomes the bundle's id.
        known: From `sources`.
        licence: Of the weights.
        metrics: Scores by head.
        training: Where the weights come from.
        card: Text of README.md.
    """
    examples = MomentExamples(moments)
    plain = run.architecture | {
        "points": {name: {"classes": len(one.labels)} for name, (one, _) in known.points.items()}
    }
    network = build_network(plain)
    state = network.state_dict() | run.network.state_dict()
    for name, (_, weights) in known.points.items():
        state |= {f"branches.{name}.classify.{key}": value for key, value in weights.items()}
    network.load_state_dict(state)
    temperatures = fit_subsets(run, examples)
    train = examples.indices(TRAIN)
    some = train[:: -(-len(train) // MOST)]
    features, embeddings = describe(run.network, examples, some)
    statistics = {}
    for head, values in features.items():
        labels = examples.labels[head][some]
        statistics[head] = fit_statistics(values[labels >= 0], labels[labels >= 0])
    sensors: dict[str, list[np.ndarray]] = {}
    for stream, branch in run.architecture["streams"].items():
        there = examples.present[stream][some]
        looks = moments.looks[stream][some][there]
        sensors.setdefault(branch, []).append(branch_feature(embeddings[stream][there], looks))
    return save_bundle(
        path,
        name=path.name,
        network=network.eval(),
        architecture=plain,
        heads={
            head: HeadCard(
                task=TASKS.get(head, ACTIVITY),
                labels=labels,
                temperature=run.temperatures[head],
                threshold=run.calibration.thresholds.get(head, 0.5),
                abstain_below=run.calibration.abstain_below[head],
                temperatures=temperatures[head],
                **_order(known.orders.get(head)),
            )
            for head, labels in run.labels.items()
        },
        points={name: one for name, (one, _) in known.points.items()},
        spaces=[[*run.architecture["branches"], TEXT]],
        text=space.model.text,
        licence=licence,
        card=card,
        training=training,
        metrics=metrics,
        statistics=statistics,
        branch_statistics={n: fit_branch(np.concatenate(x)) for n, x in sensors.items()},
    )


def _order(card: HeadCard | None) -> dict[str, Any]:
    return {"rates": card.rates, "evidence_s": card.evidence_s} if card else {}
