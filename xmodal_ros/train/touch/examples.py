"""Examples of visual-tactile data sets as a network reads them: images, features and labels."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION, Example, divide
from xmodal_ros.nn.lidar_settings import LidarSettings
from xmodal_ros.nn.network import Network
from xmodal_ros.train.examples import Inputs
from xmodal_ros.train.features import Features, cached
from xmodal_ros.train.touch.clips import Images, image_sizes
from xmodal_ros.train.touch.scans import Scans
from xmodal_ros.train.touch.settings import HEADS, LIDAR, TouchSettings

log = logging.getLogger(__name__)
ENCODED = 32
"""Images per forward pass of a frozen encoder."""


@dataclass(frozen=True)
class Plan:
    """What of data sets is used: examples with their parts, streams, and classes by head."""

    examples: tuple[Example, ...]
    streams: tuple[str, ...]
    heads: Mapping[str, tuple[str, ...]]

    def indices(self, part: str) -> np.ndarray:
        """Of the examples of a part `(N,) int64`."""
        return np.flatnonzero([example.part == part for example in self.examples])

    def labels(self, head: str) -> np.ndarray:
        """Class of each example `(N,) int64`, -1 where it has none."""
        place = {name: k for k, name in enumerate(self.heads[head])}
        known = [place.get(example.labels.get(head, ""), -1) for example in self.examples]
        return np.array(known, np.int64)


def plan(data: Sequence[VisualTactile], settings: TouchSettings) -> Plan:
    """Choose what to use of data sets.

    Examples without a label of the heads, and without any of the streams, are not used. Where a
    data set has no validation part, a part of its training groups becomes one. Unlabelled parts,
    such as one for pretraining, are not used.

    Raises:
        DataError: a stream or head that is asked for is in no data set, a head has fewer than two
            classes to train on, or nothing is left to train or validate on.
    """
    where = ", ".join(str(one.root) for one in data)
    wanted = settings.heads.names or HEADS
    found = [
        example
        for one in data
        for example in _usable(one, with_validation(one), wanted, settings.heads.streams)
    ]
    chosen = _thinned(found, settings.schedule.per_group)
    streams = tuple(dict.fromkeys(s for example in chosen for s in example.streams))
    for stream in settings.heads.streams:
        if stream not in streams:
            known = ", ".join(
                dict.fromkeys(s for d in data for e in d.examples for s in e.streams)
            )
            raise DataError(f"no stream '{stream}'", where=where, expected=f"some of {known}")
    heads = _classes(chosen, wanted, where)
    for head in settings.heads.names:
        if head not in heads:
            raise DataError(
                f"fewer than two classes of '{head}' to train on",
                where=where,
                do="See `xmodal data check`, or name other heads.",
            )
    made = Plan(tuple(chosen), streams, heads)
    for part in (TRAIN, VALIDATION):
        if len(made.indices(part)) < 2 or not heads:
            raise DataError(
                f"{len(made.indices(part))} labelled examples in the {part} part",
                where=where,
                expected="at least 2, with two classes of a head",
                do="See `xmodal data check`.",
            )
    return made


def plan_test(data: VisualTactile, settings: TouchSettings, made: Plan) -> Plan:
    """Choose what to use of another data set whose parts are all to be a test part.

    Args:
        data: Nothing of it was trained on.
        settings: Of the run.
        made: What of other data sets was trained on; streams and classes are those.

    Raises:
        DataError: a label is no class that was trained on.
    """
    parts = (replace(example, part=TEST) for example in data.examples)
    found = list(_usable(data, parts, tuple(made.heads), made.streams))
    for head, names in made.heads.items():
        strange = {e.labels[head] for e in found if head in e.labels}.difference(names)
        if strange:
            raise DataError(
                f"{head} '{min(strange)}' is no class that was trained on",
                where=str(data.root),
                expected="some of " + ", ".join(names),
            )
    return replace(made, examples=tuple(_thinned(found, settings.schedule.per_group)))


def _usable(
    data: VisualTactile,
    examples: Iterable[Example],
    heads: Sequence[str],
    streams: Sequence[str],
) -> Iterator[Example]:
    """Examples of a data set with a label of the heads and one of the streams, all if empty."""
    for example in examples:
        labels = {h: v for h, v in example.labels.items() if h in heads}
        kept = {s: v for s, v in example.streams.items() if not streams or s in streams}
        if labels and kept and example.part in (TRAIN, VALIDATION, TEST):
            name = f"{data.root.name}/{example.name}"
            yield replace(example, name=name, labels=labels, streams=kept)


def with_validation(data: VisualTactile) -> Iterator[Example]:
    """Examples; where there is no validation part, some training groups become one."""
    if VALIDATION in data.parts:
        yield from data.examples
        return
    groups = {e.group: str(sorted(e.labels.items())) for e in data.examples if e.part == TRAIN}
    held_out = {group for group, part in divide(groups).items() if part == VALIDATION}
    for example in data.examples:
        moves = example.part == TRAIN and example.group in held_out
        yield replace(example, part=VALIDATION) if moves else example


def _thinned(examples: Sequence[Example], most: int) -> list[Example]:
    """At most so many of each recording, or else group, and set of labels, spread over time."""
    alike: dict[Any, list[Example]] = {}
    for example in examples:
        # "recording@stamp" is the name of what comes from a recording or a video
        recording, at, _ = example.name.rpartition("@")
        labels = tuple(sorted(example.labels.items()))
        key = example.part, recording if at else example.group, labels
        alike.setdefault(key, []).append(example)
    kept: list[Example] = []
    for members in alike.values():
        count = min(len(members), most or len(members))
        places = np.linspace(0, len(members) - 1, count).round().astype(int)
        kept += [members[k] for k in places]
    return kept


def _classes(
    examples: Sequence[Example], wanted: Sequence[str], where: str
) -> dict[str, tuple[str, ...]]:
    """Names of classes by head, of heads that can be trained; tells of classes that cannot."""
    found: dict[str, tuple[str, ...]] = {}
    for head in wanted:
        trained = {e.labels[head] for e in examples if head in e.labels and e.part == TRAIN}
        names = {e.labels[head] for e in examples if head in e.labels}
        if len(trained) > 1:
            found[head] = tuple(sorted(names))
            for name in sorted(names - trained):
                log.warning("%s: no example of %s '%s' to train on", where, head, name)
    return found


class TouchExamples:
    """Examples with their images, at the network's size, and features of the frozen encoder.

    Args:
        made: What to use.
        cache: Folder that keeps images and features from one run to the next.
        network: With pretrained encoders; its architecture is that of `plan`.
        settings: Of the run.

    """

    def __init__(self, made: Plan, cache: Path, network: Network, settings: TouchSettings) -> None:
        self._cache, self._settings = cache, settings
        sizes = image_sizes(network.architecture)
        images = Images(made.examples, sizes, settings.encoder.spacing_s, cache)
        self._scans = None
        if LIDAR in made.streams:
            view = cast(LidarSettings, network.architecture.branch(LIDAR)).view
            self._scans = Scans(made.examples, view, cache)
        scans = self._scans.problems if self._scans else {}
        self.left_out: dict[str, str] = {**images.problems, **scans}
        """Why examples are not used, by name; none takes their place."""
        for name, why in self.left_out.items():
            log.warning("%s is left out: %s", name, why)
        kept = np.flatnonzero([e.name not in self.left_out for e in made.examples])
        self.plan = replace(made, examples=tuple(made.examples[k] for k in kept))
        self._rows = kept
        self.streams, self.heads = made.streams, made.heads
        self.names = [example.name for example in self.plan.examples]
        self.groups = np.array([example.group for example in self.plan.examples])
        self.parts = np.array([example.part for example in self.plan.examples])
        self.labels = {head: self.plan.labels(head) for head in made.heads}
        self.present = {
            stream: np.array([stream in e.streams for e in self.plan.examples])
            for stream in self.streams
        }
        """By stream, where there are images or scans `(N,) bool`."""
        self._images = images
        self.raw = settings.trunk.encoders == "separate"
        """Whether batches are images, for encoders that learn."""
        self.features = {} if self.raw else {s: self._encoded(s, network) for s in self.streams}
        """By stream, rows are frames of examples, oldest first."""

    def __len__(self) -> int:
        return len(self.names)

    def indices(self, part: str) -> np.ndarray:
        """Of the examples of a part `(N,) int64`."""
        return np.flatnonzero(self.parts == part)

    def images(self, stream: str, chosen: np.ndarray) -> np.ndarray:
        """Images `(n, T, height, width, 3) uint8`, zeros where the stream is absent.

        Of a LiDAR range images `(n, 1, height, width, 4) float32`.
        """
        return self._stored(stream)[0][self._rows[chosen]]

    def batch(self, chosen: np.ndarray) -> Inputs:
        """Inputs of the chosen examples by stream; of an absent one they mean nothing.

        Returns:
            Tokens (batch, [steps,] tokens, width) and pooled features (batch, [steps,] width) of
            the frozen encoder; where encoders learn, images (batch, [steps,] height, width, 3).
        """
        if self.raw:
            made = {s: torch.from_numpy(self.images(s, chosen)) for s in self.streams}
            return {s: x if s in self.clips else x[:, 0] for s, x in made.items()}
        found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        for stream in self.streams:
            steps = self._stored(stream)[0].shape[1]
            rows = self._rows[chosen][:, None] * steps + np.arange(steps)
            tokens, pooled = self.features[stream][rows if stream in self.clips else rows[:, 0]]
            found[stream] = tokens, pooled
        return cast(Inputs, found)

    @property
    def clips(self) -> Mapping[str, int]:
        """Number of frames by stream, of streams of clips."""
        return self._images.clips

    def _stored(self, stream: str) -> tuple[np.ndarray, str]:
        """Images of all examples of the plan, and a key of what they are."""
        if stream == LIDAR and self._scans:
            return self._scans.array, self._scans.key
        return self._images[stream], self._images.key(stream)

    def _encoded(self, stream: str, network: Network) -> Features:
        images, known = self._stored(stream)
        flat = images.reshape(-1, *images.shape[2:])
        branch = network.branch(stream)
        key = {"images": known, "settings": vars(branch.settings)}
        encoder = cast(Any, branch.contrastive.encoder)

        def batches() -> Iterator[tuple[np.ndarray, ...]]:
            return ((np.array(flat[i : i + ENCODED]),) for i in range(0, len(flat), ENCODED))

        count = -(-len(flat) // ENCODED)
        return cached(self._cache, key, encoder, batches, count, f"features of {stream}")


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 of what examples consist of, hexadecimal: names, sources, labels and parts."""
    digest = hashlib.sha256()
    for e in examples:
        sources = {s: [str(x) for x in clip] for s, clip in e.streams.items()}
        row = [e.name, e.part, e.group, dict(e.labels), {s: v[-1:] for s, v in sources.items()}]
        digest.update(json.dumps(row, sort_keys=True).encode())
    return digest.hexdigest()
