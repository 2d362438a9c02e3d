"""Checks a visual-tactile data set: names whatever is wrong with it, and counts what is there.

"The same bytes" means the same pixels: of a JPEG those of the decoded image.

What cannot be told: a whole data set whose camera and gel are exchanged, and pairs exchanged
with one another. A single exchanged pair is found by its sizes, or by its look where gel and
camera images differ clearly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile.example import (
    CAMERA,
    TRAIN,
    Example,
    Problem,
    VisualTactile,
    leaks,
)
from xmodal_ros.data.visual_tactile.look import Look, changed, look
from xmodal_ros.data.visual_tactile.swapped import find_swapped

USUAL = 0.9
"""Share of a stream's images of one size from which another size is a fault."""


@dataclass(frozen=True)
class HeadCount:
    """Labels of one head in one part."""

    counts: Mapping[str, int]
    majority: float
    """Share of the part's commonest class, as papers give it for a test part."""
    constant: float | None
    """Accuracy of always answering the commonest class of train; None without labels there."""


@dataclass(frozen=True)
class Report:
    """What a check found."""

    kind: str
    root: str
    split: str
    examples: Mapping[str, int]
    """By part."""
    groups: Mapping[str, int]
    """By part."""
    heads: Mapping[str, Mapping[str, HeadCount]]
    """By head and part."""
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_mapping(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {"good": self.good, **asdict(self)}


def check(
    data: VisualTactile, listener: Callable[[int, int], None] = lambda done, total: None
) -> Report:
    """Check a data set.

    Args:
        data: As it was read.
        listener: Called with the number of images that were looked at, and that there are.
    """
    looks = {}
    sources = list(
        dict.fromkeys(s for e in data.examples for clip in e.streams.values() for s in clip)
    )
    for seen in look(sources):
        looks[seen.source] = seen
        listener(len(looks), len(sources))
    swaps, notes = find_swapped(data.examples, looks)
    problems = [
        *data.problems,
        *(Problem("unreadable", str(s), looks[s].error) for s in sources if looks[s].error),
        *(
            Problem("changed", str(p), "not what the split was made of")
            for p in changed(data.sha256)
        ),
        *swaps,
        *_images(data.examples, looks, {problem.where for problem in swaps}),
        *_duplicates(data.examples, looks),
        *_classes(data),
        *_leaks(data),
    ]
    if not data.examples:
        problems.append(Problem("missing", str(data.root), "no example that can be used"))
    groups = {part: len({e.group for e in data.examples if e.part == part}) for part in data.parts}
    return Report(
        kind=data.kind,
        root=str(data.root),
        split=data.split,
        examples=dict(Counter(example.part for example in data.examples)),
        groups=groups,
        heads=_count(data),
        problems=tuple(dict.fromkeys(problems)),
        notes=(*data.notes, *notes),
    )


def _images(
    examples: tuple[Example, ...], looks: Mapping[Source, Look], swapped: set[str]
) -> Iterator[Problem]:
    """Sizes that differ from their stream's, gels that are grey, and other than 8 bits."""
    by_stream: dict[str, dict[Source, Look]] = defaultdict(dict)
    for example in examples:
        for stream, clip in example.streams.items():
            if example.name not in swapped:
                by_stream[stream].update((s, looks[s]) for s in clip if not looks[s].error)
    for stream, found in by_stream.items():
        sizes = Counter(seen.shape for seen in found.values())
        usual, count = sizes.most_common(1)[0] if sizes else ((), 0)
        for source, seen in found.items():
            if seen.shape != usual and count >= USUAL * len(found):
                text = f"is {_size(seen.shape)}; {count} of {len(found)} are {_size(usual)}"
                yield Problem("size", str(source), text)
            if seen.bits != 8:
                yield Problem("depth", str(source), f"{seen.bits} bits per channel; expected 8")
            if seen.grey and stream != CAMERA:
                yield Problem("grey", str(source), "a gel image without colour")


def _size(shape: tuple[int, ...]) -> str:
    count, height, width = shape
    return f"{width}x{height}" + (f" with {count} images" if count > 1 else "")


def _duplicates(examples: tuple[Example, ...], looks: Mapping[Source, Look]) -> Iterator[Problem]:
    """Images that are there twice; in two parts, that is a leak."""
    first: dict[bytes, tuple[Source, str]] = {}
    told: set[Source] = set()
    for example in examples:
        for source in (source for clip in example.streams.values() for source in clip):
            digest = looks[source].digest
            if not digest or source in told:
                continue
            other, part = first.setdefault(digest, (source, example.part))
            if other != source:
                told.add(source)
                kind = "duplicated" if part == example.part else "leak"
                where = "" if part == example.part else f", which is in {part}, not {example.part}"
                yield Problem(kind, str(source), f"the same bytes as {other}{where}")


def _leaks(data: VisualTactile) -> Iterator[Problem]:
    for group, parts in leaks(data.examples).items():
        counts = " and ".join(f"{count} in {part}" for part, count in sorted(parts.items()))
        yield Problem("leak", f"{data.root}, split '{data.split}'", f"of '{group}' are {counts}")


def _classes(data: VisualTactile) -> Iterator[Problem]:
    """Classes that are in another part but not in train."""
    for head, parts in _count(data).items():
        known = parts[TRAIN].counts if TRAIN in parts else {}
        for part, found in parts.items():
            for label in sorted(found.counts.keys() - known.keys()):
                text = f"{head} '{label}' is {found.counts[label]} times in {part}, never in train"
                yield Problem("class", f"{data.root}, split '{data.split}'", text)


def _count(data: VisualTactile) -> dict[str, dict[str, HeadCount]]:
    counts: dict[str, dict[str, Counter[str]]] = {}
    for example in data.examples:
        for head, label in example.labels.items():
            counts.setdefault(head, {}).setdefault(example.part, Counter())[label] += 1
    made: dict[str, dict[str, HeadCount]] = {}
    for head, parts in sorted(counts.items()):
        answer = parts[TRAIN].most_common(1)[0][0] if TRAIN in parts else None
        made[head] = {
            part: HeadCount(
                counts=dict(sorted(found.items())),
                majority=max(found.values()) / found.total(),
                constant=found[answer] / found.total() if answer is not None else None,
            )
            for part, found in sorted(parts.items())
        }
    return made
