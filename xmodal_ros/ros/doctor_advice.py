"""What is wrong with a stream that comes, or with the transport, and what to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmodal_ros.core.settings import StreamSettings, SyncSettings
from xmodal_ros.core.types import Modality

LARGE_BYTES = 512 * 1024
"""What Fast DDS's own shared-memory segment holds."""
SEGMENT_MIB = 16
"""Of our profile, for each process that publishes."""
THIS_CENTURY_NS = 10**18
"""A stamp before 2001 is no time of day: it counts from when something was switched on."""


@dataclass(frozen=True)
class Seen:
    """What came on a topic.

    Attributes:
        messages: How many.
        rate_hz: By their arrival.
        longest_gap_s: Between two of them.
        bytes: Of the last image or cloud; 0 for a small message.
        age_s: Median of the clock minus the stamp, on arrival.
        newest_ns: Stamp of the last one.
        frame_id: Of the last one.
    """

    messages: int = 0
    rate_hz: float = 0.0
    longest_gap_s: float = 0.0
    bytes: int = 0
    age_s: float = 0.0
    newest_ns: int = 0
    frame_id: str = ""


def advise(stream: StreamSettings, sync: SyncSettings, seen: Seen, *, anchor: bool) -> list[str]:
    """What is wrong with a stream that is heard; empty where nothing is.

    Args:
        stream: Its settings.
        sync: How it is put together with the others.
        seen: What came.
        anchor: Whether others are matched to it.
    """
    found = _about_time(stream, sync, seen)
    still = stream.modality in (Modality.CAMERA.value, Modality.LIDAR.value)
    if still and not anchor and seen.rate_hz and _reach_s(stream, seen) > stream.tolerance_s:
        late = "" if stream.wait else f", {seen.age_s:.2f} s after its stamp,"
        found.append(
            f"a message each {1 / seen.rate_hz:.2f} s{late} is too seldom for a tolerance of "
            f"{stream.tolerance_s:g} s: raise {stream.name}.tolerance_s or the sensor's rate"
        )
    if not seen.frame_id:
        found.append("header.frame_id is empty: let its driver fill it")
    if stream.reliability == "best_effort" and seen.bytes > LARGE_BYTES:
        found.append(
            f"messages of {seen.bytes / 1024:.0f} KiB come best effort: without our profile "
            "config/fastdds.xml in the publisher's process, Fast DDS loses those over 512 KiB"
        )
    return found


def _reach_s(stream: StreamSettings, seen: Seen) -> float:
    """How far an anchor may be from the message that it is matched with."""
    if stream.wait:
        return 0.5 / seen.rate_hz
    return 1 / seen.rate_hz + max(0.0, seen.age_s - stream.offset_s)


def _about_time(stream: StreamSettings, sync: SyncSettings, seen: Seen) -> list[str]:
    """What is wrong with its stamps."""
    if seen.newest_ns == 0:
        return ["stamps are zero: let its driver fill header.stamp"]
    if seen.newest_ns < THIS_CENTURY_NS:
        return [
            "stamps count from when the sensor was switched on: set its driver to stamp with the "
            "host's time, or synchronize the sensor by PTP"
        ]
    age_s = seen.age_s - stream.offset_s
    if age_s < -sync.max_future_s:
        return [
            f"stamps are {-age_s:.2f} s ahead of our clock and are refused: synchronize the "
            "machines' clocks, with chrony for example"
        ]
    if stream.wait and age_s > sync.timeout_s:
        return [
            f"stamps are {age_s:.2f} s old on arrival, more than sync.timeout_s: synchronize the "
            f"machines' clocks, set {stream.name}.offset_s if that is constant, or raise "
            "sync.timeout_s"
        ]
    return []


def advise_transport(transport: Mapping[str, str], seen: Sequence[Seen]) -> list[str]:
    """What is wrong with the middleware's settings in our environment.

    Args:
        transport: See `doctor`.
        seen: Of every stream.
    """
    found = []
    profile = transport["Fast DDS profile"]
    fast = "fastrtps" in transport["middleware"]
    if not profile and fast and any(s.bytes > LARGE_BYTES for s in seen):
        found.append(
            "messages over 512 KiB, and no Fast DDS profile in this environment: start the "
            "drivers with FASTRTPS_DEFAULT_PROFILES_FILE=.../config/fastdds.xml (from Kilted on "
            "FASTDDS_DEFAULT_PROFILES_FILE); our launch files and commands set it"
        )
    if profile and not Path(profile).is_file():
        found.append(f"the Fast DDS profile {profile} is no file: correct the variable")
    free = transport.get("shared memory free (MiB)")
    if free and int(free) < 4 * SEGMENT_MIB:
        found.append(
            f"/dev/shm has {free} MiB left, and each publishing process takes {SEGMENT_MIB}: give "
            "a container more with --shm-size, or `fastdds shm clean`"
        )
    if not any(s.messages for s in seen):
        found.append(
            "nothing is heard at all: compare ROS_DOMAIN_ID, the discovery range and the "
            "middleware with those of the drivers' shells"
        )
    return found
