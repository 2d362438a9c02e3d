"""Examples of recordings: the gel images, and what the other streams showed at that time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.types import Modality
from xmodal_ros.data.labels import Track, label_tracks
from xmodal_ros.data.recorded_images import message_times, nearest, offset_ns, source_of
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import find_topics
from xmodal_ros.data.source import Source

SPACING_NS = 200_000_000
"""Time of which one example is taken: gel images of 30 Hz are all but the same."""

Streams = dict[str, tuple[Source, ...]]


@dataclass
class Contents:
    """What a recording holds for training."""

    sets: list[tuple[int, Streams, dict[str, str]]]
    """Stamp, images by stream and labels by head of each example."""
    rates: dict[str, float] = field(default_factory=dict)
    """By stream of clips, images per second."""
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: str = ""


def examples_of(
    path: Path, settings: Settings, tracks: Mapping[str, Track], history_s: float = 0.0
) -> Contents:
    """The first gel image of every `SPACING_NS`, with the nearest image of the other streams.

    Streams are matched as a node does it, by stamp, offset and tolerance of `settings`. Images
    are not decoded.

    Args:
        path: The recording.
        settings: Names the streams.
        tracks: Labels by head, which replace the recording's own of those heads.
        history_s: How far the clips of gels reach back; with 0 they are single images.

    Raises:
        DataError: it cannot be read, or there is no gel topic in it.
    """
    seen, felt = Modality.CAMERA.value, Modality.TACTILE.value
    streams = {s.name: s for s in settings.streams if s.modality in (seen, felt)}
    anchor = next((stream for stream in streams.values() if stream.modality == felt), None)
    if anchor is None:
        raise DataError("no stream of the settings is tactile", where=str(path))
    sync = replace(settings.sync, anchor=anchor.name)
    chosen = replace(settings, streams=tuple(streams.values()), sync=sync)
    with Recording(path) as recording:
        topics = find_topics(recording, chosen)
        times = message_times(recording, topics, streams)
        labels = {**label_tracks(recording), **tracks}
        unread = recording.unread
    found = Contents([], unread=unread)
    for name in streams.keys() - topics.keys():
        text = f"no topic of stream '{name}'"
        (found.missing if streams[name].modality == seen else found.notes).append(text)
    sources = {n: [source_of(path, topics[n], log_ns) for _, log_ns in times[n]] for n in topics}
    history_ns = round(history_s * 1e9)
    if history_ns:
        gels = [name for name in topics if streams[name].modality == felt]
        found.rates = {name: _rate(times[name]) for name in gels if len(times[name]) > 1}
    lonely = dict.fromkeys(topics, 0)
    first: dict[int, int] = {}
    for time_ns, _ in times[anchor.name]:
        first.setdefault(time_ns // SPACING_NS, time_ns)
    for time_ns in first.values():
        made: Streams = {}
        for name in topics:
            near = nearest(times[name], time_ns, streams[name].tolerance_s)
            if near is None:
                lonely[name] += 1
                continue
            felt_before = history_ns if streams[name].modality == felt else 0
            first_of_clip = bisect_left(times[name], (times[name][near][0] - felt_before, 0))
            clip = sources[name][min(first_of_clip, near) : near + 1]
            made[name] = tuple(clip)
        stamp_ns = time_ns - offset_ns(anchor)
        known = {head: track.at(stamp_ns) for head, track in labels.items()}
        found.sets.append((stamp_ns, made, {h: label for h, label in known.items() if label}))
    for name, count in lonely.items():
        text = f"{count} of {len(found.sets)} gel images have no image of '{name}' near enough"
        if count:
            (found.missing if count == len(found.sets) else found.notes).append(text)
    if any(labels.values()) and not any(known for _, _, known in found.sets):
        found.missing.append("no gel image has the stamp of a time that is labelled")
    return found


def _rate(times: Sequence[tuple[int, int]]) -> float:
    """Messages per second, by the median of the times between them."""
    spacing_ns = float(np.median(np.diff([time_ns for time_ns, _ in times])))
    return 1e9 / max(spacing_ns, 1.0)
