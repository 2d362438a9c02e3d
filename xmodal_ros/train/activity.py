"""Activity from a watch's IMU (imu_activity): sitting, walking, turning and the moves between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from xmodal_ros.data.imu_activity import ImuActivity, Run
from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.nn.architecture import ImuSettings
from xmodal_ros.train.examples import Index, Inputs

STREAMS = {"imu": "imu"}
SPLIT = "imu_activity"
UNIT_S = 1.0
"""A unit is one second before an anchor; its label is what most of it was."""
PURITY = 2 / 3
"""Units in which no activity fills this share have no single answer and are not scored."""
HOP_S = 0.5
"""Time between scored units."""
TRAIN_HOP_S = 0.1
GRID_HZ = 100.0


class ActivityExamples:
    """Windows of the watch that end with a unit; the same people's phones are training data too.

    Before a run's first sample a window holds it, as the synchronizer does.
    """

    def __init__(self, root: Path, settings: ImuSettings, phone: bool = True) -> None:
        data = ImuActivity(root / SPLIT)
        split = load_split(FOLDER / f"{SPLIT}.csv", data.root)
        self.labels = data.labels
        self.settings = settings
        held_out = set(split.groups("test"))
        signals, starts, ends, targets, people, scored = [], [], [], [], [], []
        offset = 0
        for device in ("watch", "phone") if phone else ("watch",):
            for run in (r for person in data.people for r in data.runs(person, device)):
                signal, last, target, unit = _units(run, len(self.labels), device == "watch")
                signals.append(signal)
                starts += [offset] * len(last)
                ends += [offset + e for e in last]
                targets.append(target)
                scored.append(unit)
                people += [run.person] * len(last)
                offset += len(signal)
        self.signal = np.concatenate(signals)
        self.starts, self.ends = np.array(starts), np.array(ends)
        groups = np.array(people)
        self.index = Index(
            targets=np.concatenate(targets),
            groups=groups,
            test=np.isin(groups, list(held_out)),
            scored=np.concatenate(scored),
        )

    def batch(self, chosen: np.ndarray, rng: np.random.Generator | None) -> Inputs:
        """Windows (batch, samples, 6)."""
        return {"imu": torch.from_numpy(self.windows(chosen, rng))}

    def windows(self, chosen: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """The same as an array `(batch, samples, 6) float32`."""
        s = self.settings
        back = np.arange(s.samples)[::-1] * (GRID_HZ / s.rate_hz)  # in samples of the grid
        speed = np.ones(len(chosen)) if rng is None else rng.uniform(0.9, 1.1, len(chosen))
        start = self.starts[chosen]
        if rng is not None:
            # Half of the windows lose their oldest part, as at the start of a stream.
            kept = rng.uniform(UNIT_S * GRID_HZ, back[0] + 1, len(chosen)).astype(np.int64)
            start = np.where(
                rng.random(len(chosen)) < 0.5, np.maximum(start, self.ends[chosen] - kept), start
            )
        places = self.ends[chosen, None] - np.rint(speed[:, None] * back).astype(np.int64)
        windows = self.signal[np.maximum(places, start[:, None])]  # (B, S, 6)
        if rng is not None:
            windows = _augment(windows, rng)
        return np.ascontiguousarray(windows, np.float32)


def _units(
    run: Run, classes: int, watch: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A run on the fixed grid, and its units: last sample, class shares, whether it is scored."""
    times = (run.stamps_ns - run.stamps_ns[0]) / 1e9
    times, first = np.unique(times, return_index=True)  # several samples may share one stamp
    data, labels = run.data[first], run.labels[first]
    grid = np.arange(0.0, times[-1], 1 / GRID_HZ)
    signal = np.stack([np.interp(grid, times, channel) for channel in data.T], axis=1)
    present = np.eye(classes)[labels[np.searchsorted(times, grid, side="right") - 1]]
    total = np.concatenate([np.zeros((1, classes)), present.cumsum(0)])
    size = round(UNIT_S * GRID_HZ)
    last = np.arange(size - 1, len(grid), round(TRAIN_HOP_S * GRID_HZ))
    shares = (total[last + 1] - total[last + 1 - size]) / size
    on_hop = (last - (size - 1)) % round(HOP_S * GRID_HZ) == 0
    return (
        signal.astype(np.float32),
        last,
        shares.astype(np.float32),
        watch & on_hop & (shares.max(1) >= PURITY),
    )


def scored_units(run: Run, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends of a run's scored units, seconds after its first sample, and their labels."""
    _, last, shares, scored = _units(run, classes, watch=True)
    # A sample of the grid stands for the time until the next one.
    return (last[scored] + 1) / GRID_HZ, shares[scored].argmax(1)


def _augment(windows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wear the watch differently: turned, on the other wrist, on another arm, with other noise."""
    count = len(windows)
    turn = rotations(rng, count, np.deg2rad(15.0))
    both = windows.reshape(count, -1, 2, 3) @ turn[:, None]  # the two vectors turn together
    # A mirror turns x for specific force, a true vector; for angular rate, an axial one, y and z.
    mirror = np.array([[-1.0, 1.0, 1.0], [1.0, -1.0, -1.0]])
    both = np.where(rng.random((count, 1, 1, 1)) < 0.5, both * mirror, both)
    both = both * rng.normal(1.0, 0.1, (count, 1, 1, 1))
    noise = np.array([[0.1], [0.03]])  # m/s², rad/s
    return (both + noise * rng.standard_normal(both.shape)).reshape(windows.shape)


def rotations(rng: np.random.Generator, count: int, angle: float) -> np.ndarray:
    """Rotations about random axes by normal angles of deviation `angle` (rad): `(count, 3, 3)`."""
    axis = rng.standard_normal((count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    cross = np.cross(axis[:, None, :], np.eye(3)[None])  # (N, 3, 3)
    by = rng.normal(0.0, angle, (count, 1, 1))
    return np.eye(3) + np.sin(by) * cross + (1 - np.cos(by)) * cross @ cross
