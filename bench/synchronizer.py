"""Rows `sync_cost` and `stamp_spread`: our synchronizer beside ApproximateTimeSynchronizer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from bench.approximate_time import approximate_time
from bench.row import REPEATS, Row, compare, side_by_side
from bench.timelines import QUEUE, RATES_HZ, SLOP_S, timeline
from xmodal_ros.core.settings import StreamSettings, SyncSettings
from xmodal_ros.core.sync import EventClock, Synchronizer
from xmodal_ros.core.types import Sample

SECONDS = 6.0
NAMES = tuple(RATES_HZ)


@dataclass
class _Stamped:
    header: Header


def _theirs(messages: list[tuple[int, _Stamped]]) -> list[tuple[_Stamped, ...]]:
    sets: list[tuple[_Stamped, ...]] = []
    add, _ = approximate_time(len(NAMES), QUEUE, SLOP_S, lambda *found: sets.append(found))
    for index, message in messages:
        add(index, message)
    return sets


def _ours(samples: list[tuple[str, Sample]]) -> list[dict[str, int]]:
    streams = [StreamSettings(name=name, modality=name, tolerance_s=SLOP_S) for name in NAMES]
    settings = SyncSettings(max_messages=QUEUE)
    sync, clock = Synchronizer(streams, {}, settings, NAMES[0]), EventClock(settings)
    sets = []
    for name, sample in samples:
        sets += sync.push(name, sample, clock.advance(name, sample.stamp_ns))
    return [{name: data.stamps_ns[0] for name, data in o.streams.items()} for o in sets]


def _samples(messages: list[tuple[str, int]]) -> list[tuple[str, Sample]]:
    rng = np.random.default_rng(0)
    data: dict[str, np.ndarray] = {
        "tactile": rng.integers(60, 180, (240, 320, 3)).astype(np.uint8),
        "camera": np.zeros((480, 640, 3), np.uint8),
        "imu": np.zeros(6, np.float32),
        "lidar": np.zeros((60_000, 4), np.float32),
    }
    return [(name, Sample(stamp_ns, "", data[name])) for name, stamp_ns in messages]


def _stamped(messages: list[tuple[str, int]]) -> list[tuple[int, _Stamped]]:
    return [
        (NAMES.index(name), _Stamped(Header(stamp=Time(sec=t // 10**9, nanosec=t % 10**9))))
        for name, t in messages
    ]


def cost() -> Row:
    """Time per message of both, without decoding; ours with the no-contact image of the gel."""
    messages = timeline(SECONDS)
    samples, stamped = _samples(messages), _stamped(messages)
    ours, theirs = side_by_side(lambda: _ours(samples), lambda: _theirs(stamped))
    _, how = approximate_time(1, QUEUE, SLOP_S, lambda *_: None)
    return compare(
        "sync_cost",
        "synchronizer, per message: 4 streams (60, 30, 400, 10 Hz), queue 50",
        f"ApproximateTimeSynchronizer ({how})",
        ours,
        theirs,
        unit="µs",
        scale=1e6 / len(messages),
        at_most=10 / 139,
        note="the bound is 10 µs where ApproximateTimeSynchronizer takes 139 µs",
    )


def spread() -> Row:
    """Mean distance of a set's messages from its anchor, over the nearest-neighbour optimum."""
    ratios, ours_ms, theirs_ms = [], [], []
    for seed in range(REPEATS):
        messages = timeline(SECONDS, seed)
        stamps = {n: np.array([t for name, t in messages if name == n]) for n in NAMES}
        found = [s for s in _ours(_samples(messages)) if len(s) == len(NAMES)]
        pairs = [(s[NAMES[0]], name, s[name]) for s in found for name in NAMES[1:]]
        distance = np.mean([abs(stamp - anchor) for anchor, _, stamp in pairs])
        best = np.mean([np.abs(stamps[name] - anchor).min() for anchor, name, _ in pairs])
        ratios.append(float(distance / best))
        ours_ms.append(float(distance) / 1e6)
        sets = _theirs(_stamped(messages))
        times = [[m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in s] for s in sets]
        theirs_ms.append(float(np.mean([abs(t - s[0]) for s in times for t in s[1:]])) / 1e6)
    return Row(
        "stamp_spread",
        "distance of a set's stamps from its anchor",
        "the nearest message of every stream",
        "ms",
        float(np.median(ours_ms)),
        float(np.median([o / r for o, r in zip(ours_ms, ratios, strict=True)])),
        tuple(ratios),
        at_most=1.02,
        details={"ApproximateTimeSynchronizer (ms)": float(np.median(theirs_ms))},
    )
