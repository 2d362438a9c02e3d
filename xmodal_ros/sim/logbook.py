"""When each message of an episode is logged: what a recorder, or a subscriber, gets and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.sim.cell import Cell
from xmodal_ros.sim.episode import START_NS, Episode
from xmodal_ros.sim.rig import FINGERS
from xmodal_ros.sim.topics import Encoder, Message

LATENCY_NS = {
    "camera": 15_000_000,
    "camera_wrist": 15_000_000,
    "tactile_left": 4_000_000,
    "tactile_right": 4_000_000,
    "imu": 1_000_000,
    "lidar": 30_000_000,
}
"""From the moment of a sensor's reading to the log: read-out and transport."""


Entry = tuple[int, Message]
"""A message, after the time at which it is logged."""


def log(cell: Cell, episode: Episode, encoder: Encoder, epoch_ns: int) -> Iterator[Entry]:
    """Run an episode, and give its messages with the times at which they are logged.

    Sensors' messages leave later than they were read, so the times are not quite in order. A label
    is logged when it begins to hold, which of a grasp's is known only at its end.

    Args:
        cell: The cell, in its first state.
        episode: Of that cell.
        encoder: Of its sensors.
        epoch_ns: Added to every stamp.

    Raises:
        SimulationDiverged: while iterating.
    """
    first_ns = epoch_ns + START_NS
    touched = dict.fromkeys(FINGERS, "")
    material = ""
    yield from ((first_ns, message) for message in encoder.fixed_frames(first_ns))
    yield from ((first_ns, m) for m in encoder.encode("labels/material", first_ns, ""))
    for reading in episode:
        now_ns, stamp_ns = first_ns + cell.time_ns, epoch_ns + reading.stamp_ns
        latency_ns = LATENCY_NS.get(reading.stream)
        time_ns = stamp_ns if latency_ns is None else now_ns + latency_ns
        for message in encoder.encode(reading.stream, stamp_ns, reading.data):
            yield time_ns, message
        if reading.stream == "camera":
            yield from ((now_ns, message) for message in encoder.frames(now_ns))
        if reading.stream in FINGERS:
            seen = reading.data.contact.any()
            touched[reading.stream] = _material_at(cell, FINGERS[reading.stream]) if seen else ""
            felt = next(filter(None, touched.values()), "")
            if felt != material:
                material = felt
                yield from ((now_ns, m) for m in encoder.encode("labels/material", now_ns, felt))


def write(out: Path, entries: Iterable[Entry], metadata: Mapping[str, str]) -> None:
    """Write messages to an MCAP recording, in the order of their times.

    Raises:
        DataError: `out` exists.
    """
    with RecordingWriter(out, metadata=metadata, compress=True) as writer:
        for time_ns, message in sorted(entries, key=lambda entry: entry[0]):
            writer.write(message.topic, message.type, time_ns, message.fields)


def _material_at(cell: Cell, finger: str) -> str:
    """Name of the material at a finger's gel, empty where there is none."""
    surfaces = (cell.surfaces.get(geom) for geom in cell.pads()[finger].geoms)
    return next((surface.material.name for surface in surfaces if surface), "")
