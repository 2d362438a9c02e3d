"""Checks a data set of inertial sensors: names what is wrong with it, and counts what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from xmodal_ros.data.inertial.problems import problems
from xmodal_ros.data.inertial.track import Inertial, by_session
from xmodal_ros.data.visual_tactile.check import HeadCount, Report
from xmodal_ros.data.visual_tactile.example import TRAIN, Example, Problem, leaks

HEAD = "activity_s"
"""Activities are counted in whole seconds: clips and runs differ in length."""


def check(data: Inertial) -> Report:
    """Check a data set; its examples are tracks, its groups people (or recordings)."""
    examples = [
        Example(t.where, streams={}, labels={}, group=t.subject, part=t.part) for t in data.tracks
    ]
    heads = _count(data)
    found = [
        *data.problems,
        *(problem for track in data.tracks for problem in problems(track)),
        *_classes(data, heads),
        *_leaks(data, examples),
    ]
    if not data.tracks:
        found.append(Problem("missing", str(data.root), "no track that can be used"))
    groups = Counter(part for part, _ in {(e.part, e.group) for e in examples})
    nowhere = sorted({e.group for e in examples if not e.part})
    notes = [f"the split does not name {', '.join(nowhere)}"] if nowhere else []
    return Report(
        kind=data.kind,
        root=str(data.root),
        split=data.split,
        examples=dict(Counter(example.part for example in examples)),
        groups=dict(groups),
        heads={HEAD: heads} if heads else {},
        problems=tuple(dict.fromkeys(found)),
        notes=tuple(notes),
    )


def join(images: Report, data: Inertial) -> Report:
    """The report of recordings' images, with what is found of their IMUs.

    Of recordings without any image that can be used, the report is that of the IMUs.
    """
    tracks = check(data)
    if data.tracks and not images.examples:
        return tracks
    # Recordings that have images need not have an IMU.
    more = [problem for problem in tracks.problems if problem.kind != "missing"]
    return replace(
        images,
        heads={**images.heads, **tracks.heads},
        problems=tuple(dict.fromkeys([*images.problems, *more])),
    )


def _leaks(data: Inertial, examples: list[Example]) -> Iterator[Problem]:
    for group, parts in leaks(examples).items():
        counts = " and ".join(f"{count} in {part}" for part, count in sorted(parts.items()))
        yield Problem("leak", f"{data.root}, split '{data.split}'", f"of '{group}' are {counts}")


def _classes(data: Inertial, heads: dict[str, HeadCount]) -> Iterator[Problem]:
    """Classes that are in another part but not in train."""
    for part, found in heads.items() if TRAIN in heads else ():
        for label in sorted(found.counts.keys() - heads[TRAIN].counts.keys()):
            text = f"activity '{label}' is {found.counts[label]} s in {part}, never in train"
            yield Problem("class", f"{data.root}, split '{data.split}'", text)


def _count(data: Inertial) -> dict[str, HeadCount]:
    """Labelled seconds by part and class; tracks of one session say the same, so one counts."""
    lasting_ns: dict[str, Counter[str]] = {}
    for together in by_session(data.tracks):
        for start_ns, end_ns, label in together[0].labels:
            lasting_ns.setdefault(together[0].part, Counter())[label] += end_ns - start_ns
    answer = lasting_ns[TRAIN].most_common(1)[0][0] if TRAIN in lasting_ns else None
    return {
        part: HeadCount(
            counts={label: round(ns / 1e9) for label, ns in sorted(found.items())},
            majority=max(found.values()) / found.total(),
            constant=found[answer] / found.total() if answer is not None else None,
        )
        for part, found in sorted(lasting_ns.items())
    }
