"""Asks a trained network under a condition: a sense absent or noisy, another data set."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile.example import TRAIN
from xmodal_ros.nn.network import Network
from xmodal_ros.train.examples import Inputs
from xmodal_ros.train.experiments.experiment import Condition, by_sense
from xmodal_ros.train.features import Features, cached
from xmodal_ros.train.touch.examples import ENCODED, TouchExamples, fingerprint
from xmodal_ros.train.touch.run import TouchRun
from xmodal_ros.train.touch.score import BATCH, answers, encoded


@dataclass(frozen=True)
class Answers:
    """Of one network, about the examples of one part."""

    names: list[str]
    groups: np.ndarray
    """What each example belongs to, such as a recording `(N,)`."""
    labels: Mapping[str, np.ndarray]
    """By head `(N,) int64`, -1 where there is none."""
    logits: Mapping[str, np.ndarray]
    """By head `(N, C) float32`."""


def ask(
    run: TouchRun, asked: Mapping[str, TouchExamples], condition: Condition, cache: Path
) -> dict[str, Answers]:
    """Answers by part.

    Args:
        run: What is asked.
        asked: By part, such as validation and test, the examples that have it, of the run's
            streams.
        condition: How.
        cache: Folder that keeps features of noisy images.

    Raises:
        DataError: the examples have a class that the run does not know.
    """
    found = {}
    for part, examples in asked.items():
        chosen = examples.indices(part)
        if not len(chosen):
            continue
        network = adapted(run.network, examples) if condition.adapt else run.network
        senses = by_sense(examples.streams)
        noisy = tuple(s for sense in condition.noisy for s in senses[sense])
        drop = senses[condition.drop] if condition.drop else ()
        shown: Any = examples
        if noisy:
            shown = NoisyExamples(examples, chosen, noisy, condition.sigma, network, cache)
        found[part] = Answers(
            names=[examples.names[k] for k in chosen],
            groups=examples.groups[chosen],
            labels={head: _labels(run, examples, head)[chosen] for head in examples.heads},
            logits=answers(network, shown, chosen, drop=drop),
        )
    return found


def adapted(network: Network, examples: TouchExamples) -> Network:
    """A copy whose adapters' BatchNorm has the statistics of the training part, unlabelled.

    AdaBN, Li et al. 2016, arXiv 1603.04779. The frozen encoders stay as they are.
    """
    made = copy.deepcopy(network)
    for branch in made.branches.values():
        branch.adapter.norm.reset_running_stats()
        branch.adapter.norm.momentum = None  # the mean over all batches
        branch.adapter.norm.train()
    chosen = examples.indices(TRAIN)
    with torch.no_grad():
        for some in np.array_split(chosen, -(-len(chosen) // BATCH)):
            for stream, (tokens, _) in encoded(made, examples.batch(some)).items():
                there = torch.from_numpy(examples.present[stream][some])
                if there.any():
                    made.branch(stream).adapt(tokens[there])
    return made.eval()


class NoisyExamples:
    """The chosen examples with noise on the images of some streams; else as they are.

    The noise of an image follows from its place, and so is the same for every network.

    Args:
        examples: What noise is added to.
        chosen: Indices of the examples that can be read.
        streams: Whose images get noise.
        sigma: Standard deviation, grey levels.
        network: With the frozen encoders.
        cache: Folder that keeps the features.
    """

    def __init__(
        self,
        examples: TouchExamples,
        chosen: np.ndarray,
        streams: Sequence[str],
        sigma: float,
        network: Network,
        cache: Path,
    ) -> None:
        self._examples, self._chosen, self._sigma = examples, chosen, sigma
        self.streams, self.clips, self.present = (
            examples.streams, examples.clips, examples.present,
        )  # fmt: skip
        self._noisy = tuple(streams)
        self._features: Mapping[str, Features] = (
            {} if examples.raw else {s: self._encoded(s, network, cache) for s in streams}
        )

    def batch(self, chosen: np.ndarray) -> Inputs:
        """As `TouchExamples.batch`."""
        made: dict[str, Any] = dict(self._examples.batch(chosen))
        for stream in self._noisy:
            if self._examples.raw:
                images = torch.from_numpy(self._images(stream, chosen))
                made[stream] = images if stream in self.clips else images[:, 0]
                continue
            steps = self.clips.get(stream, 1)
            rows = np.searchsorted(self._chosen, chosen)[:, None] * steps + np.arange(steps)
            made[stream] = self._features[stream][rows if stream in self.clips else rows[:, 0]]
        return made

    def _images(self, stream: str, chosen: np.ndarray) -> np.ndarray:
        """Noisy images `(n, T, height, width, 3) uint8`."""
        made = []
        for place, clip in zip(chosen, self._examples.images(stream, chosen), strict=True):
            rng = np.random.default_rng((int(place), self.streams.index(stream)))
            noise = rng.standard_normal(clip.shape, np.float32) * self._sigma
            made.append(np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8))
        return np.stack(made)

    def _encoded(self, stream: str, network: Network, cache: Path) -> Features:
        branch = network.branch(stream)
        key = {
            "examples": fingerprint(self._examples.plan.examples),
            "chosen": self._chosen.tolist(),
            "noise": [stream, self._sigma],
            "settings": vars(branch.settings),
        }

        def batches() -> Iterator[tuple[np.ndarray, ...]]:
            for start in range(0, len(self._chosen), ENCODED):
                images = self._images(stream, self._chosen[start : start + ENCODED])
                yield (images.reshape(-1, *images.shape[2:]),)

        count = -(-len(self._chosen) // ENCODED)
        encoder = cast(Any, branch.contrastive.encoder)
        return cached(cache, key, encoder, batches, count, f"noisy features of {stream}")


def _labels(run: TouchRun, examples: TouchExamples, head: str) -> np.ndarray:
    """Labels as the run numbers them `(N,) int64`, which another data set need not."""
    names, known = examples.heads[head], run.labels.get(head, ())
    strange = [name for name in names if name not in known]
    if strange:
        raise DataError(
            f"{head} '{strange[0]}' is no class of the run",
            where=str(run.folder),
            expected="some of " + ", ".join(known),
        )
    places = np.array([known.index(name) for name in names] + [-1])
    return places[examples.labels[head]]
