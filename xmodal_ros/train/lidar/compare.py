"""What pretrained LiDAR encoders are good for, beside one that starts at random."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from xmodal_ros.core.declare import setting
from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.core.segmentation import segmentation
from xmodal_ros.data.point_cloud import PointClouds
from xmodal_ros.train.lidar.examples import TRAIN, LabelledScans
from xmodal_ros.train.lidar.pretrain import ENCODER, RECORD, load_run, read_record, settings_of
from xmodal_ros.train.lidar.retrieve import BASELINES, candidates, learned, retrieve
from xmodal_ros.train.lidar.segment import MODES, at_points, drawn, evaluate, train_segmenter
from xmodal_ros.train.lidar.settings import CmcrSettings, ScheduleSettings, read_overrides

SCRATCH = "from scratch"
SHARES, SEEDS = (0.01, 0.05, 0.1, 1.0), (0, 1, 2)


@dataclass(frozen=True)
class Asked:
    """What is compared."""

    encoders: tuple[Path, ...]
    """Folders of `xmodal lidar pretrain`, or of such folders named `seed0` and so on, where each
    seed has its own; their names are those of the rows."""
    modes: tuple[str, ...]
    """Some of `segment.MODES`."""
    shares: tuple[float, ...]
    """Of the labelled training scans."""
    seeds: tuple[int, ...]
    part: str

    def __post_init__(self) -> None:
        for name, values, right in (
            ("mode", self.modes, lambda mode: mode in MODES),
            ("share", self.shares, lambda share: 0 < share <= 1),
        ):
            wrong = [value for value in values if not right(value)]
            if wrong:
                expected = "one of " + ", ".join(MODES) if name == "mode" else "above 0 to 1"
                raise SettingsError(f"got {wrong[0]}", where=f"--{name}", expected=expected)
        names = [path.resolve().name for path in self.encoders]
        if len(set(names)) < len(names):
            raise SettingsError(
                "two folders have the same name", where="--encoder", expected="names to tell rows"
            )


@dataclass(frozen=True)
class SegmentSchedule(ScheduleSettings):
    """How long and how fast classes are learned."""

    steps: int = setting(1000, "most optimizer steps", low=1, high=10_000_000)
    validate_every: int = setting(100, "steps between validations", low=1, high=1_000_000)
    patience: int = setting(
        5, "validations without a better one, after which it ends", low=1, high=1_000_000
    )
    smoothing: float = setting(0.0, "label smoothing", low=0.0, high=0.5)


def evaluation_settings(
    encoders: Sequence[Path], seed: int, overrides: Sequence[str]
) -> CmcrSettings:
    """Settings for `compare`: the first encoder's, another schedule, and overrides on top.

    Raises:
        DataError: the folder is not one of a finished run.
        SettingsError: an override is wrong.
    """
    base = CmcrSettings()
    if encoders:
        base = settings_of(read_record(run_of(encoders[0], seed)))
    return read_overrides(overrides, dataclasses.replace(base, schedule=SegmentSchedule()))


def compare(
    data: PointClouds, asked: Asked, settings: CmcrSettings, out: Path, console: Console
) -> dict[str, Any]:
    """Train and measure all that is asked for; finished runs in `out` are read back.

    Args:
        data: With classes of points, with cameras, or both.
        asked: What.
        settings: Of range images and of the schedule.
        out: Folder of the runs.
        console: Where to show progress.

    Returns:
        `rows` and `retrieval`, as `report.page` takes them.

    Raises:
        DataError: there is no such part, or nothing to measure in it; a run cannot be read; a loss
            is not finite.
        SettingsError: an encoder's range images are others than those of the settings.
    """
    for folder in asked.encoders:
        for run in {run_of(folder, seed): None for seed in asked.seeds}:
            if settings_of(read_record(run)).lidar != settings.lidar:
                raise SettingsError(
                    "its range images or its network are others",
                    where=str(run),
                    expected=f"those of {asked.encoders[0]}",
                )
    sweeps = data.part(asked.part)
    seen = bool(asked.encoders) and any(sweep.views for sweep in sweeps)
    if not data.classes and not seen:
        raise DataError(
            f"nothing to measure in the {asked.part} part with {len(asked.encoders)} encoders",
            where=str(data.root),
            expected="classes of points, or an --encoder and scans with an image",
        )
    rows: list[dict[str, Any]] = []
    facts: dict[str, Any] = {"left_out": {}}
    if data.classes:
        scans = LabelledScans(data, settings, out / "cache", console)
        facts = {"scans": len(scans.indices(asked.part)), "left_out": scans.left_out}
        for share in asked.shares:
            rows += _baselines(scans, asked, share)
            starts: tuple[Path | None, ...] = (None, *asked.encoders)
            rows += [
                _row(scans, asked, settings, out, start, mode, share, console)
                for start in starts
                for mode in asked.modes
            ]
    return {
        "data": data.root.name,
        "part": asked.part,
        "classes": list(data.classes),
        "schedule": vars(settings.schedule),
        **facts,
        "rows": rows,
        "retrieval": _retrieved(data, asked, settings, out / "cache") if seen else [],
    }


def _row(
    scans: LabelledScans,
    asked: Asked,
    settings: CmcrSettings,
    out: Path,
    folder: Path | None,
    mode: str,
    share: float,
    console: Console,
) -> dict[str, Any]:
    """One start, learned in one way, with every seed."""
    title, seeds = _name(folder), []
    for seed in asked.seeds:
        start = folder and run_of(folder, seed)
        run = train_segmenter(
            scans,
            out / f"{title} {mode} {share:g} {seed}".replace(" ", "-"),
            settings.lidar,
            dataclasses.replace(settings.schedule, seed=seed),
            encoder=start and start / ENCODER,
            mode=mode,
            share=share,
            console=console,
        )
        scores = evaluate(run.model, scans, scans.indices(asked.part))
        seeds.append({"seed": seed, "steps": run.record["best_step"], asked.part: scores})
    return {"variant": f"{title}, {MODES[mode]}", "condition": _condition(share), "seeds": seeds}


def _baselines(scans: LabelledScans, asked: Asked, share: float) -> list[dict[str, Any]]:
    """Answers that look at no point: one class, and one class for each pixel."""
    made: dict[str, list[dict[str, Any]]] = {"one class": [], "by direction": []}
    count = len(scans.classes)
    for seed in asked.seeds:
        votes: Any = 0
        for index in drawn(scans.indices(TRAIN), share, seed):
            labels = scans.frame(index).labels
            votes = votes + (labels[..., None] == np.arange(count))  # (H, W, C)
        most = int(votes.sum((0, 1)).argmax())
        by_pixel = np.where(votes.any(2), votes.argmax(2), most)
        answers = {"one class": np.full_like(by_pixel, most), "by direction": by_pixel}
        for name, answer in answers.items():
            frames = (scans.frame(index) for index in scans.indices(asked.part))
            counts = sum(at_points(answer, frame, scans.classes) for frame in frames)
            scores = segmentation(np.asarray(counts), scans.classes)
            made[name].append({"seed": seed, asked.part: scores})
    return [
        {"variant": name, "condition": _condition(share), "baseline": True, "seeds": seeds}
        for name, seeds in made.items()
    ]


def _retrieved(
    data: PointClouds, asked: Asked, settings: CmcrSettings, cache: Path
) -> list[dict[str, Any]]:
    """Rows of what needs no training, and of each encoder."""

    def row(title: str, seeds: list[dict[str, Any]], baseline: bool) -> dict[str, Any]:
        return {"variant": title, "condition": "", "baseline": baseline, "seeds": seeds}

    pairs = candidates(data, asked.part, settings, cache)
    rows = [
        row(title, [{"seed": 0, asked.part: retrieve(pairs, embed)}], baseline=True)
        for title, embed in BASELINES.items()
    ]
    for folder in asked.encoders:
        seeds = []
        for run, seed in {run_of(folder, seed): seed for seed in asked.seeds}.items():
            model = load_run(run).model
            pairs = candidates(data, asked.part, model.settings, cache)
            seeds.append({"seed": seed, asked.part: retrieve(pairs, learned(model))})
        rows.append(row(_name(folder), seeds, baseline=False))
    return rows


def run_of(folder: Path, seed: int) -> Path:
    """The run of a seed: one of several in the folder, or the folder itself."""
    return folder if (folder / RECORD).exists() else folder / f"seed{seed}"


def _name(folder: Path | None) -> str:
    return folder.resolve().name if folder else SCRATCH


def _condition(share: float) -> str:
    return f"{100 * share:g} % of labels"
