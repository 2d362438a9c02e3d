"""What every visual-tactile data set is read as: examples of named streams, labels and parts."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.parts import of_part
from xmodal_ros.data.pictures import load
from xmodal_ros.data.source import Source

CAMERA, TOUCH, LEFT, RIGHT = "camera", "tactile", "tactile_left", "tactile_right"
"""Streams, named as those of a robot; `TOUCH` where there is one gel only."""
TRAIN, VALIDATION, TEST = "train", "validation", "test"
OFFICIAL, DISJOINT = "official", "disjoint"
"""Splits: the one that comes with the data set, and one made here that keeps groups together."""


PROBLEMS = (
    "missing", "unreadable", "changed", "mismatched", "swapped", "size", "grey", "depth",
    "duplicated", "label", "class", "leak",
)  # fmt: skip
"""Kinds of what can be wrong with a data set; depth is other than 8 bits per channel."""


@dataclass(frozen=True, slots=True)
class Example:
    """Images that belong together, and what is known about them."""

    name: str
    """Unique in its data set, and the same on every machine."""
    streams: Mapping[str, tuple[Source, ...]]
    """By stream, images in the order of time; several of a clip."""
    labels: Mapping[str, str]
    """By head (material, hardness, roughness, grasp), the class; a head without one is absent."""
    group: str
    """What must not be in two parts: an object, a person, a video."""
    part: str
    rates: Mapping[str, float] = field(default_factory=dict)
    """By stream, images per second of its clip; a stream of single images is absent."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a data set."""

    kind: str
    """One of `PROBLEMS`."""
    where: str
    """The file, or whatever else it is about."""
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


@dataclass(frozen=True)
class VisualTactile:
    """A data set as it was read: what can be used, and why the rest cannot."""

    kind: str
    root: Path
    split: str
    examples: tuple[Example, ...]
    problems: tuple[Problem, ...] = ()
    """What was left out. No other example ever takes the place of one that is left out."""
    notes: tuple[str, ...] = ()
    """What one should know that is no fault."""
    sha256: Mapping[Path, str] = field(default_factory=dict)
    """Of files, the hash that the split was made with; a check compares."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, in the order of the examples."""
        return tuple(dict.fromkeys(example.part for example in self.examples))

    def part(self, name: str) -> tuple[Example, ...]:
        """Examples of a part.

        Raises:
            DataError: there is no such part.
        """
        return of_part(self.examples, name, self.root)

    def classes(self, head: str) -> tuple[str, ...]:
        """Names of a head's classes, sorted."""
        return tuple(sorted({e.labels[head] for e in self.examples if head in e.labels}))

    @staticmethod
    def load(example: Example) -> dict[str, np.ndarray]:
        """The images of an example: by stream `(T, H, W, 3) uint8` RGB, oldest first.

        Raises:
            DataError: an image is missing, cannot be read, is grey or not of 8 bits, or those of
                one stream differ in size.
        """
        return {stream: load(sources) for stream, sources in example.streams.items()}


def leaks(examples: Iterable[Example]) -> dict[str, dict[str, int]]:
    """Groups that are in several parts, with their number of examples in each."""
    counts: dict[str, dict[str, int]] = {}
    for example in examples:
        parts = counts.setdefault(example.group, {})
        parts[example.part] = parts.get(example.part, 0) + 1
    return {group: parts for group, parts in counts.items() if len(parts) > 1}


def refuse_leaks(data: VisualTactile, *, force: bool) -> None:
    """Refuse a split in which a group is in two parts; a forced one is only warned of.

    Raises:
        DataError: it leaks, and is not forced.
    """
    leaking = leaks(data.examples)
    if not leaking:
        return
    group, parts = next(iter(leaking.items()))
    text = f"{len(leaking)} groups are in several parts, such as '{group}' in " + " and ".join(
        sorted(parts)
    )
    if force:
        logging.getLogger(__name__).warning(
            "%s: split '%s' leaks: %s; scores on it are too good", data.root, data.split, text
        )
        return
    raise DataError(
        text,
        where=f"{data.root}, split '{data.split}'",
        expected="every object, person or video in one part",
        do="Choose another split, or use this one by --force.",
    )


def divide(strata: Mapping[str, str]) -> dict[str, str]:
    """Put groups into train, test and validation, 70 : 15 : 15 within each stratum.

    The same groups always give the same parts: they are dealt in the order of a hash of their
    name, each to the part that lacks most. A stratum's first two groups are trained on.

    Args:
        strata: By group, what is to be spread over the parts, such as its material.
    """
    shares = {TRAIN: 0.70, TEST: 0.15, VALIDATION: 0.15}
    parts = {}
    order = sorted(strata, key=lambda group: hashlib.sha256(group.encode()).hexdigest())
    for stratum in sorted(set(strata.values())):
        dealt = dict.fromkeys(shares, 0)
        members = [group for group in order if strata[group] == stratum]
        for count, group in enumerate(members, 1):
            part = max(shares, key=lambda name: shares[name] * count - dealt[name])
            dealt[part] += 1
            parts[group] = part
    return parts
