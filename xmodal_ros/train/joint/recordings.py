"""Moments of recordings, which are replayed as a node would hear them.

Moments with the same labels, one after the other, are an instance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import Example
from xmodal_ros.data.visual_tactile.recordings import SETTINGS
from xmodal_ros.progress import progress_bar
from xmodal_ros.train.joint.encoders import Encoded, Encoders, Runner
from xmodal_ros.train.joint.moments import Moments, keep, spread
from xmodal_ros.train.joint.settings import MomentSettings

BRIEF = ("grasp",)
"""Heads whose labels do not divide instances: they are known for the end of one alone."""


def read_moments(
    data: VisualTactile,
    encoders: Encoders,
    settings: MomentSettings,
    cache: Path,
    console: Console | None = None,
) -> Moments:
    """Read a data set's moments and encode what they sensed; each recording once.

    Args:
        data: Of recordings with labels.
        encoders: Of the streams that are read.
        settings: Which moments.
        cache: Folder that keeps what was encoded, a file for each recording.
        console: Where to show progress.

    Raises:
        DataError: a recording cannot be read, or there is no moment.
    """
    listened = heard(data.root, encoders)
    by_path: dict[Path, list[Example]] = {}
    for example in data.examples:
        by_path.setdefault(next(iter(example.streams.values()))[0].path, []).append(example)
    key = {
        "branches": encoders.branches,
        "weights": encoders.fingerprint(),
        "streams": encoders.streams,
        "moments": vars(settings),
        "kept": Encoded._fields,
        "heard": repr(listened),
    }
    run: Runner | None = None
    found: list[dict[str, Any]] = []
    with progress_bar(console or Console(quiet=True), "moments", len(by_path)) as bar:
        for done, (path, examples) in enumerate(by_path.items(), 1):
            chosen = _chosen(examples, settings)
            name = _file_name(path, key, chosen)
            if not (cache / name).exists():
                run = run or Runner(encoders)
                keep(cache / name, _read(path, listened, encoders, run, chosen))
            with np.load(cache / name) as arrays:
                found.append(dict(arrays) | {"examples": chosen})
            bar.update(done, f"{done}/{len(by_path)}")
    return _joined(found, encoders, data)


def streams_of(root: Path) -> tuple[str, ...]:
    """Names of the streams that a data set's settings tell of."""
    file = root / SETTINGS
    settings = load_settings(file if file.is_file() else None)
    return tuple(stream.name for stream in settings.streams)


def heard(root: Path, encoders: Encoders) -> Settings:
    """Settings of the data set's streams, of those that are encoded and the anchor."""
    file = root / SETTINGS
    return load_settings(file if file.is_file() else None).reading(encoders.inputs)


def _chosen(
    examples: Sequence[Example], settings: MomentSettings
) -> dict[int, tuple[int, Example]]:
    """By stamp, the number of its instance in the recording, and the example."""
    ordered = sorted(examples, key=_stamp)
    runs: list[list[Example]] = []
    for example in ordered:
        if runs and _meaning(runs[-1][-1]) == _meaning(example):
            runs[-1].append(example)
        else:
            runs.append([example])
    made = {}
    for number, members in enumerate(runs):
        begun = _stamp(members[0]) + round(settings.settled_s * 1e9)
        settled = [e for e in members if _stamp(e) >= begun and e.labels]
        count = min(len(settled), settings.per_instance)
        for place in np.linspace(0, len(settled) - 1, count).round().astype(int):
            made[_stamp(settled[place])] = (number, settled[place])
    return made


def _stamp(example: Example) -> int:
    return int(example.name.rpartition("@")[2])


def _meaning(example: Example) -> dict[str, str]:
    return {head: label for head, label in example.labels.items() if head not in BRIEF}


def _file_name(path: Path, key: Any, chosen: Mapping[int, Any]) -> str:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    facts = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    text = json.dumps([key, str(path.name), facts, list(chosen)], sort_keys=True, default=str)
    return f"moments-{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"


def _read(
    path: Path, listened: Settings, encoders: Encoders, run: Runner, chosen: Mapping[int, Any]
) -> dict[str, np.ndarray]:
    """Arrays of a recording's moments, those that a node would have answered."""
    run.clear()
    stamps: list[int] = []
    rows: dict[str, list[Encoded | None]] = {stream: [] for stream in encoders.streams}
    sensed: dict[str, list[int]] = {stream: [] for stream in encoders.streams}
    with Recording(path) as recording:
        for observation in observations(recording, listened, encoders.windows):
            if observation.stamp_ns not in chosen:
                continue
            stamps.append(observation.stamp_ns)
            for stream in encoders.streams:
                data = observation.streams.get(stream)
                rows[stream].append(run(stream, data) if data else None)
                sensed[stream].append(data.stamps_ns[-1] if data else 0)
    made = {"stamps_ns": np.array(stamps, np.int64)}
    for stream, found in rows.items():
        there = [encoded for encoded in found if encoded is not None]
        made[f"present/{stream}"] = np.array([x is not None for x in found], bool)
        made[f"sensed_ns/{stream}"] = np.array(sensed[stream], np.int64)
        for name in Encoded._fields:
            if there:
                made[f"{name}/{stream}"] = np.stack([getattr(x, name) for x in there])
    return made


def _joined(
    found: Sequence[Mapping[str, Any]], encoders: Encoders, data: VisualTactile
) -> Moments:
    heads = tuple(dict.fromkeys(h for e in data.examples for h in e.labels))
    rows = [part["examples"][stamp][1] for part in found for stamp in part["stamps_ns"].tolist()]
    if not rows:
        raise DataError("no moment with a label", where=str(data.root))
    numbers = [
        (k, part["examples"][stamp][0])
        for k, part in enumerate(found)
        for stamp in part["stamps_ns"].tolist()
    ]
    _, instances = np.unique(np.array(numbers), axis=0, return_inverse=True)

    def together(name: str, stream: str) -> np.ndarray:
        return np.concatenate([part[f"{name}/{stream}"] for part in found])

    present = {s: together("present", s) for s in encoders.streams}
    return Moments(
        names=np.array([e.name for e in rows]),
        groups=np.array([e.group for e in rows]),
        parts=np.array([e.part for e in rows]),
        instances=instances.reshape(-1).astype(np.int64),
        facts={head: np.array([e.labels.get(head, "") for e in rows]) for head in heads},
        present=present,
        sensed_ns={s: together("sensed_ns", s) for s in encoders.streams},
        tokens={s: _rows(found, f"tokens/{s}", present[s]) for s in encoders.streams},
        pooled={s: _rows(found, f"pooled/{s}", present[s]) for s in encoders.streams},
        looks={s: _rows(found, f"look/{s}", present[s]) for s in encoders.streams},
    )


def _rows(found: Sequence[Mapping[str, Any]], name: str, present: np.ndarray) -> np.ndarray:
    parts = [part[name] for part in found if name in part]
    if not parts:
        raise DataError("is in no moment", where=name.partition("/")[2])
    return spread(np.concatenate(parts), present)
