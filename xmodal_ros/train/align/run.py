"""One alignment: from data sets to an IMU encoder beside frozen vision, on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial import Inertial
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.eval.calibration import fit_temperature
from xmodal_ros.train.align.encoder import (
    RECORD,
    Aligned,
    build,
    load_aligned,
    plain_settings,
    read_record,
    save_aligned,
)
from xmodal_ros.train.align.examples import AlignExamples
from xmodal_ros.train.align.fit import AlignTask
from xmodal_ros.train.align.score import classify, score_logits
from xmodal_ros.train.align.settings import AlignSettings
from xmodal_ros.train.features import weights_hash
from xmodal_ros.train.learning import learn, shown
from xmodal_ros.train.touch.run import require_same

CHECKPOINT = "checkpoint.ckpt"


@dataclass(frozen=True)
class AlignRun:
    """A finished run."""

    folder: Path
    model: Aligned
    """With the weights of the best validation, in evaluation mode, on the CPU."""
    settings: AlignSettings
    record: dict[str, Any]
    """What align.json holds."""


def prepare(data: Sequence[Inertial], settings: AlignSettings, cache: Path) -> AlignExamples:
    """Windows and frozen features of data sets."""
    return AlignExamples(data, settings, build(settings, 2).vision, cache)


def align(
    examples: AlignExamples,
    names: Sequence[str],
    out: Path,
    settings: AlignSettings,
    *,
    console: Console | None = None,
) -> AlignRun:
    """Train an IMU encoder, and calibrate its classifier on the validation part.

    The test part is not looked at. A finished run in `out` is read back, an interrupted one
    continues.

    Args:
        examples: From `prepare` with the same settings of vision, IMU and windows.
        names: Of the data sets.
        out: Folder of the run.
        settings: How.
        console: Where to show progress.

    Raises:
        DataError: the loss is not finite; disk full; training changed the frozen encoder.
        SettingsError: another run is in `out`, or the encoder's weights do not fit.
    """
    model = build(settings, len(examples.classes))
    record: dict[str, Any] = {
        "settings": plain_settings(settings),
        "data": list(names),
        "classes": list(examples.classes),
        "windows_sha256": examples.fingerprint(),
        "vision_sha256": weights_hash(model.vision),
    }
    if (out / RECORD).exists():
        found = read_record(out)
        require_same(out, found, record)
        return AlignRun(out, load_aligned(out), settings, found)
    if settings.loss.contrastive:
        require_images(examples, names)
    task = AlignTask(model, examples, settings)
    out.mkdir(parents=True, exist_ok=True)
    with shown(console or Console(quiet=True), settings.schedule.steps, out.name) as listener:
        progress = learn(model, task, settings.schedule, out / CHECKPOINT, listener)
    if weights_hash(model.vision) != record["vision_sha256"]:
        raise DataError("training has changed the frozen encoder", where=str(out))
    record |= {
        "vision_sha256_after": weights_hash(model.vision),
        "windows": {part: len(examples.indices(part)) for part in (TRAIN, VALIDATION, TEST)},
        "with_image": {
            part: len(examples.indices(part, seen=True)) for part in (TRAIN, VALIDATION, TEST)
        },
        "left_out": {why: count for why, count in examples.left_out.items() if count},
        "steps": progress.step,
        "best_step": progress.best_step,
        "history": progress.history,
        "contrast_temperature": model.temperature.item(),
        **(_calibrated(model, examples) if settings.loss.supervised else {}),
    }
    save_aligned(out, model, record)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return AlignRun(out, model.eval(), settings, record)


def require_images(examples: AlignExamples, names: Sequence[str]) -> None:
    """Refuse what needs images where there are none.

    Raises:
        DataError: no training window has an image.
    """
    if not len(examples.indices(TRAIN, seen=True)):
        raise DataError(
            "no window has an image to be aligned to",
            where=", ".join(names),
            do="Add a data set with a camera, or set loss.contrastive=0",
        )


def _calibrated(model: Aligned, examples: AlignExamples) -> dict[str, Any]:
    """Temperature of the classifier, and its scores on the validation part."""
    chosen = examples.indices(VALIDATION, labelled=True)
    logits, labels = classify(model, examples.windows[chosen]), examples.labels[chosen]
    temperature = fit_temperature(logits, labels)
    return {
        "temperature": temperature,
        "validation": score_logits(logits / temperature, labels),
    }
