"""What pretrained LiDAR encoders are good for, beside one that starts at random, as one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from xmodal_ros.core.declare import setting
from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.data.point_cloud import PointClouds
from xmodal_ros.train.experiments.table import scores_table
from xmodal_ros.train.lidar.examples import TRAIN, LabelledScans
from xmodal_ros.train.lidar.pretrain import ENCODER, load_run, read_record, settings_of
from xmodal_ros.train.lidar.retrieve import CANDIDATES, retrieve
from xmodal_ros.train.lidar.score import segmentation
from xmodal_ros.train.lidar.segment import MODES, at_points, drawn, evaluate, train_segmenter
from xmodal_ros.train.lidar.settings import CmcrSettings, ScheduleSettings, read_overrides

SCRATCH = "from scratch"
SHARES, SEEDS = (0.01, 0.05, 0.1, 1.0), (0, 1, 2)


@dataclass(frozen=True)
class Asked:
    """What is compared."""

    encoders: tuple[Path, ...]
    """Folders of `xmodal lidar pretrain`; their names are those of the rows."""
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


def evaluation_settings(encoders: Sequence[Path], overrides: Sequence[str]) -> CmcrSettings:
    """Settings for `compare`: the first encoder's, another schedule, and overrides on top.

    Raises:
        DataError: the folder is not one of a finished run.
        SettingsError: an override is wrong.
    """
    base = settings_of(read_record(encoders[0])) if encoders else CmcrSettings()
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
        `rows` and `retrieval`, as `page` takes them.

    Raises:
        DataError: there is no such part, or nothing to measure in it; a run cannot be read; a loss
            is not finite.
        SettingsError: an encoder's range images are others than those of the settings.
    """
    for folder in asked.encoders:
        if settings_of(read_record(folder)).lidar != settings.lidar:
            raise SettingsError(
                "its range images or its network are others",
                where=str(folder),
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
    found = {
        _name(folder): retrieve(load_run(folder).model, data, asked.part, out / "cache")
        for folder in (asked.encoders if seen else ())
    }
    return {
        "data": data.root.name,
        "part": asked.part,
        "classes": list(data.classes),
        "schedule": vars(settings.schedule),
        **facts,
        "rows": rows,
        "retrieval": found,
    }


def page(found: Mapping[str, Any]) -> str:
    """The tables as Markdown."""
    part, blocks = found["part"], ["# LiDAR"]
    if found["rows"]:
        columns = [("points", "miou", "mIoU"), ("points", "accuracy", "accuracy")]
        columns += [("iou", name, name) for name in found["classes"]]
        seeds = max(len(row["seeds"]) for row in found["rows"])
        told = f"Means over {seeds} seeds ± half their range" if seeds > 1 else "One seed"
        blocks += [
            scores_table(found, part, columns),
            f"{told}; {found['scans']} scans of the {part} "
            f"part of {found['data']}. IoU at every point. Shares are of labelled training scans. "
            "By direction: the class most common in a pixel in the training scans, which a sensor "
            "that stands still makes strong.",
        ]
    if found["retrieval"]:
        blocks += [_retrieval_table(found["retrieval"])]
        blocks += [
            f"Among up to {CANDIDATES} points of an image and their pixels. Percentile: the mean "
            "share of candidates that are nearer than the right one; chance is 0.5."
        ]
    return "\n\n".join(blocks) + "\n"


def _retrieval_table(found: Mapping[str, Any]) -> str:
    names = [n for n in next(iter(next(iter(found.values())).values())) if n != "count"]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for encoder, directions in found.items():
        for direction, scores in directions.items():
            cells = " | ".join(f"{scores[name]:.3f}" for name in names)
            lines.append(f"| {encoder}: {direction} | {cells} |")
    return "\n".join(lines)


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
        run = train_segmenter(
            scans,
            out / f"{title} {mode} {share:g} {seed}".replace(" ", "-"),
            settings.lidar,
            dataclasses.replace(settings.schedule, seed=seed),
            encoder=folder and folder / ENCODER,
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


def _name(folder: Path | None) -> str:
    return folder.resolve().name if folder else SCRATCH


def _condition(share: float) -> str:
    return f"{100 * share:g} % of labels"
