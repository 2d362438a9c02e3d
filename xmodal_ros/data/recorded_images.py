"""Images of recordings by topic and log time: where and when they are, and reading them."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2.errors import ReaderError
from rosbags.serde import SerdeError

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings, StreamSettings
from xmodal_ros.data.decode import decode_compressed, decode_image
from xmodal_ros.data.labels import FOR_EVER_NS
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import find_topics
from xmodal_ros.data.source import Found, Source
from xmodal_ros.data.storage import open_storages
from xmodal_ros.data.typestore import recorded_types

_STAMP_END = 12
"""Bytes of a CDR message up to the end of the stamp in its header."""
_DECODERS = {
    "sensor_msgs/msg/Image": decode_image,
    "sensor_msgs/msg/CompressedImage": decode_compressed,
}


def frames_of(path: Path, settings: Settings, stream: str) -> tuple[np.ndarray, list[Source]]:
    """Where the images of one stream are in a recording, and when.

    Args:
        path: The recording.
        settings: Names the streams.
        stream: One of them.

    Returns:
        Times after the stream's offset `(N,) int64`, increasing, and the images' places.

    Raises:
        DataError: the recording cannot be read, or the stream is not recorded.
        SettingsError: there is no such stream.
    """
    streams = {s.name: s for s in settings.streams if s.name == stream}
    sync = replace(settings.sync, anchor=stream)
    alone = replace(settings, streams=tuple(streams.values()), sync=sync)
    with Recording(path) as recording:
        topics = find_topics(recording, alone)
        times = message_times(recording, topics, streams)[stream]
    sources = [source_of(path, topics[stream], log_ns) for _, log_ns in times]
    return np.array([time_ns for time_ns, _ in times], np.int64), sources


def images(sources: Sequence[Source]) -> Found:
    """Read images of one recording in one pass; gives each one's image, or why there is none.

    Raises:
        DataError: the recording cannot be read.
    """
    wanted: dict[tuple[str, int], Source] = {}
    for source in sources:
        topic, _, log_time = source.place.rpartition("@")
        wanted[topic, int(log_time)] = source
    path = sources[0].path
    for key, kind, message in messages_at(path, frozenset(wanted)):
        if key in wanted:  # else it is a second message of that log time
            yield wanted.pop(key), _decode(kind, message, f"{path}:{key[0]}")
    for source in wanted.values():
        yield source, DataError("no such message", where=str(source))


def messages_at(
    path: Path, keys: frozenset[tuple[str, int]]
) -> Iterator[tuple[tuple[str, int], str, Any]]:
    """Topic and log time, type and object of each message of `keys` that is there."""
    first, last = min(time for _, time in keys), max(time for _, time in keys)
    readers, problems = open_storages(path)
    try:
        connections = [c for reader in readers for c in reader.connections]
        definitions = {c.msgtype: c.msgdef for c in connections}
        store, _ = recorded_types(tuple(definitions.items()))
        for reader in readers:
            chosen = [c for c in reader.connections if any(c.topic == t for t, _ in keys)]
            # What is left of a recording that was cut has no index to find a time by.
            span = () if problems else (first, last + 1)
            for connection, time_ns, data in reader.messages(chosen, *span):
                if (connection.topic, time_ns) in keys:
                    message = store.deserialize_cdr(data, connection.msgtype)
                    yield (connection.topic, time_ns), connection.msgtype, message
    except (SerdeError, ReaderError, OSError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    finally:
        for reader in readers:
            reader.close()


def _decode(kind: str, message: Any, where: str) -> list[np.ndarray] | DataError:
    try:
        return [_DECODERS[kind](message, where)]
    except DataError as error:
        return error


def message_times(
    recording: Recording, topics: Mapping[str, str], streams: Mapping[str, StreamSettings]
) -> dict[str, list[tuple[int, int]]]:
    """By stream, time after its offset and log time of each message, in the order of the former.

    Only the stamp is read, which is the first thing in the CDR of a message with a header.
    """
    names: dict[str, list[str]] = {}
    for name, topic in topics.items():
        names.setdefault(topic, []).append(name)
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in topics}
    for topic, _, log_ns, data in recording.raw(names):
        if len(data) < _STAMP_END:
            raise DataError(f"a message of {topic} is cut off", where=str(recording.path))
        seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
        for name in names[topic]:
            time_ns = seconds * 10**9 + nanoseconds + offset_ns(streams[name])
            found[name].append((time_ns, log_ns))
    return {name: sorted(times) for name, times in found.items()}


def nearest(times: Sequence[tuple[int, int]], time_ns: int, tolerance_s: float) -> int | None:
    """Place of the message nearest to a time, None where none is within the tolerance."""
    place = bisect_left(times, (time_ns, -FOR_EVER_NS))
    around = range(max(place - 1, 0), min(place + 1, len(times)))
    near = min(around, key=lambda k: abs(times[k][0] - time_ns), default=None)
    if near is None or abs(times[near][0] - time_ns) > tolerance_s * 1e9:
        return None
    return near


def source_of(path: Path, topic: str, log_ns: int) -> Source:
    """Where a message of a recording is."""
    return Source(path, f"{topic}@{log_ns}")


def offset_ns(stream: StreamSettings) -> int:
    """What is added to a stream's stamps, in nanoseconds."""
    return round(stream.offset_s * 1e9)
