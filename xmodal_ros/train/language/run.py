"""Runs of the miniature: trained, written as a describer, loaded again and asked, seed by seed."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.language import LanguageSettings
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.data.visual_tactile.example import TEST, TRAIN, VALIDATION
from xmodal_ros.progress import progress_bar
from xmodal_ros.runtime.language.describer import Describer
from xmodal_ros.runtime.language.folder import ENCODERS, LANGUAGE_MODEL, write_folder
from xmodal_ros.runtime.manifest import HeadCard
from xmodal_ros.runtime.save import save_bundle
from xmodal_ros.train.features import weights_hash
from xmodal_ros.train.language import fit
from xmodal_ros.train.language.decoder import save_decoder
from xmodal_ros.train.language.miniature import (
    Miniature,
    architecture,
    encode,
    make_miniature,
    make_network,
)
from xmodal_ros.train.language.moments import ACTIVITY, CAMERA, IMU, Moments, read_moments
from xmodal_ros.train.language.page import page
from xmodal_ros.train.language.questions import DOING, materials_of
from xmodal_ros.train.language.score import (
    CONDITIONS,
    SERVED,
    Reply,
    chosen_moments,
    classifier_accuracy,
    majority,
    measures,
    replies,
    threshold,
)
from xmodal_ros.train.language.settings import MiniatureSettings
from xmodal_ros.train.pretrain.files import save_text

RECORD = "run.json"
KEPT_ACCURACY = 0.9
"""Of answers of the validation part, where it does not abstain."""
MOST = 40
"""Moments of each activity that are asked about."""
LICENCE = "Apache-2.0"
CARD = "# Encoders of a miniature describer\n\nSee describer.yaml beside this folder.\n"
INFERENCE = InferenceSettings(backend="torch", device="cpu", precision="fp32")
"""Of the encoders that a describer compiles; questions here are about cached features."""
CLASSIFIED = {"vision": (CAMERA,), "IMU": (IMU,), "vision + IMU": (CAMERA, IMU)}


def run_language(
    root: Path,
    out: Path,
    results: Path,
    settings: MiniatureSettings,
    *,
    seeds: int = 3,
    most: int = 0,
    test: bool = True,
    console: Console | None = None,
) -> list[Path]:
    """Train with several seeds and write the table; a seed that is finished is not trained again.

    Args:
        root: Data set of the simulated cell.
        out: Folder of the runs: `seed<n>` is a describer, with `run.json` about it.
        results: Folder of language.json and language.md.
        settings: Of all seeds; `schedule.seed` is the first.
        seeds: Runs.
        most: Recordings of each part that are used; 0 for all.
        test: Whether the test part is read, once all seeds are trained; else validation only.
        console: Where to show progress.

    Returns:
        The files that were written.

    Raises:
        DataError: the data set lacks something.
        SettingsError: a run with other settings is in `out`.
    """
    console = console or Console(quiet=True)
    moments = read_moments(root, make_network(settings), settings, out / "cache", most)
    first, rows = settings.schedule.seed, []
    for seed in range(first, first + seeds):
        schedule = dataclasses.replace(settings.schedule, seed=seed)
        one = dataclasses.replace(settings, schedule=schedule)
        rows.append(train_one(moments, out / f"seed{seed}", one, root.name, console))
    for record in rows if test else ():
        _test(moments, out / f"seed{record['seed']}", record, console)
    parts = [VALIDATION, TEST] if test else [VALIDATION]
    found = {
        "kept_accuracy": KEPT_ACCURACY,
        "most": MOST,
        "parts": parts,
        "majority": {part: majority(moments, _chosen(moments, part)) for part in parts},
        "seeds": [{k: v for k, v in record.items() if test or k != TEST} for record in rows],
    }
    made = {
        results / "language.json": json.dumps(found, indent=1) + "\n",
        results / "language.md": page(found),
    }
    for path, text in made.items():
        save_text(path, text)
    return list(made)


def train_one(
    moments: Moments, folder: Path, settings: MiniatureSettings, data: str, console: Console
) -> dict[str, Any]:
    """Train one miniature and fit its threshold, or read the record of a finished one.

    Raises:
        SettingsError: a run with other settings is in the folder.
    """
    plain = json.loads(json.dumps(dataclasses.asdict(settings)))
    counts = {part: len(moments.indices(part)) for part in (TRAIN, VALIDATION, TEST)}
    if (folder / RECORD).exists():
        done: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if [done[name] for name in ("settings", "data", "moments")] != [plain, data, counts]:
            raise SettingsError(
                "a finished run with other settings or data is there",
                where=str(folder),
                do="Name another --out, or remove the folder to train it anew",
            )
        return done
    begun = time.perf_counter()
    torch.manual_seed(settings.schedule.seed)
    mini = make_miniature(settings, make_network(settings), materials_of(moments))
    with _shown(console, settings, folder.name) as listener:
        for stage in (fit.look, fit.speak):
            stage(mini, moments, settings.schedule, listener)
        before = weights_hash(mini.language.model)
        for stage in (fit.align, fit.adapt, fit.classify):
            stage(mini, moments, settings.schedule, listener)
    record = {
        "settings": plain,
        "data": data,
        "moments": counts,
        "seed": settings.schedule.seed,
        "seconds": time.perf_counter() - begun,
        "parameters": _parameters(mini),
        "language_model_sha256": before,
        "language_model_sha256_after": weights_hash(mini.language.model),
    }
    _write(mini, folder, settings, record, 0.0)
    asked, classified = _asked(moments, folder, VALIDATION)
    served = [reply for title in SERVED for reply in asked[title]]
    record["abstain_below"] = threshold(served, KEPT_ACCURACY)
    record[VALIDATION] = _measured(asked, classified, record["abstain_below"])
    _write(mini, folder, settings, record, record["abstain_below"])
    save_text(folder / RECORD, json.dumps(record, indent=1) + "\n")
    return record


def _test(moments: Moments, folder: Path, record: dict[str, Any], console: Console) -> None:
    """Ask about the test part, once; the record keeps what was measured."""
    if TEST not in record:
        with console.status(f"asking {folder.name} about the test part"):
            record[TEST] = _measured(*_asked(moments, folder, TEST), record["abstain_below"])
        save_text(folder / RECORD, json.dumps(record, indent=1) + "\n")


def _write(
    mini: Miniature,
    folder: Path,
    settings: MiniatureSettings,
    record: Mapping[str, Any],
    abstain_below: float,
) -> None:
    """The describer: encoders as a bundle, the language model as the hub has it, and our part."""
    save_bundle(
        folder / ENCODERS,
        name=f"language-{folder.name}",
        network=mini.network,
        architecture=architecture(settings),
        heads={ACTIVITY: HeadCard(ACTIVITY, tuple(DOING))},
        licence=LICENCE,
        card=CARD,
    )
    save_decoder(folder / LANGUAGE_MODEL, mini.language.model, mini.language.tokenizer)
    write_folder(
        folder,
        mini.reader.state_dict(),
        settings.reader,
        mini.reader.streams,
        licence=LICENCE,
        abstain_below=abstain_below,
        training={"data": record["data"], "settings": record["settings"]},
    )


def _asked(
    moments: Moments, folder: Path, part: str
) -> tuple[dict[str, list[Reply]], dict[str, float]]:
    """Replies by condition, and the classifier's balanced accuracy; as loaded from the folder."""
    describer = Describer(LanguageSettings(path=str(folder), device="cpu"), INFERENCE)
    network, chosen = describer.bundle.network(), _chosen(moments, part)
    encoded = encode(network, moments, chosen)
    materials = materials_of(moments)
    asked = {
        condition.title: replies(
            describer.language, describer.reader, encoded, moments, chosen, condition, materials
        )
        for condition in CONDITIONS
    }
    classified = {
        title: classifier_accuracy(network, encoded, moments, chosen, streams)
        for title, streams in CLASSIFIED.items()
    }
    describer.close()
    return asked, classified


def _measured(
    asked: Mapping[str, list[Reply]], classified: Mapping[str, float], abstain_below: float
) -> dict[str, Any]:
    return {
        "asked": {title: measures(found, abstain_below) for title, found in asked.items()},
        "classifier": dict(classified),
    }


def _chosen(moments: Moments, part: str) -> np.ndarray:
    return chosen_moments(moments, part, MOST)


def _parameters(mini: Miniature) -> dict[str, int]:
    """Number of parameters by what they belong to."""
    camera, imu = (mini.network.branch(stream) for stream in (CAMERA, IMU))
    parts: dict[str, nn.Module] = {
        "image encoder": camera.contrastive.encoder,
        "IMU encoder": imu.contrastive,
        "IMU adapter": imu.adapter,
        "reader": mini.reader,
        "language model": mini.language.model,
    }
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


@contextmanager
def _shown(console: Console, settings: MiniatureSettings, title: str) -> Iterator[fit.Listener]:
    """A progress bar over all stages, with the loss beside it."""
    s, done = settings.schedule, 0
    total = s.look_steps + s.steps + s.align_steps + s.adapter_steps + s.head_steps
    with progress_bar(console, title, total) as bar:

        def listen(stage: str, step: int, loss: float) -> None:
            nonlocal done
            done += 1
            bar.update(done, f"{stage}, loss {loss:.3f}, {bar.rate(done):.1f} steps/s")

        yield listen
