"""One joint space: from the moments of a data set to projections on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from xmodal_ros.core.errors import DataError, SettingsError
from xmodal_ros.core.types import Modality
from xmodal_ros.data.settings_file import regrouped
from xmodal_ros.data.visual_tactile import VisualTactile
from xmodal_ros.data.visual_tactile.example import TRAIN, VALIDATION
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.text import TextEncoder
from xmodal_ros.train.joint.captions import Captions, caption
from xmodal_ros.train.joint.encoders import Encoders, take
from xmodal_ros.train.joint.fit import JointTask
from xmodal_ros.train.joint.model import TEXT, JointSpace
from xmodal_ros.train.joint.moments import Moments
from xmodal_ros.train.joint.recordings import read_moments, streams_of
from xmodal_ros.train.joint.settings import JointSettings, MomentSettings
from xmodal_ros.train.learning import learn, shown
from xmodal_ros.train.pretrain.files import load_tensors, save_tensors, save_text
from xmodal_ros.train.touch.run import require_same

WEIGHTS, RECORD, CHECKPOINT = "space.safetensors", "joint.json", "checkpoint.ckpt"
EXPORTED = ("embed", "text")
"""What of the model is kept: everything else is for training alone."""


@dataclass(frozen=True, eq=False)
class Material:
    """What a space is trained on."""

    moments: Moments
    captions: Captions
    texts: np.ndarray
    """What the text encoder made of the captions `(captions, width) float32`."""
    encoders: Encoders
    data: str
    """Name of the data set."""

    @property
    def modalities(self) -> dict[str, str]:
        """By stream, as `core.types.Modality` names them."""
        return {stream: self.encoders.modality(stream).value for stream in self.moments.present}

    def fingerprint(self) -> str:
        """SHA-256 of moments, parts, captions and encoders, hexadecimal."""
        moments = self.moments
        digest = hashlib.sha256(json.dumps(self.encoders.fingerprint(), sort_keys=True).encode())
        for texts in (moments.names, moments.parts, self.captions.texts):
            digest.update("\n".join(texts).encode())
        digest.update(np.ascontiguousarray(self.captions.true).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class JointRun:
    """A finished run."""

    folder: Path
    model: JointSpace
    """With the weights of the best validation, in evaluation mode; its fusion is untrained."""
    settings: JointSettings
    record: dict[str, Any]
    """What joint.json holds."""


def frozen_encoders(root: Path, paths: Sequence[Path]) -> tuple[dict[str, Bundle], Encoders]:
    """Bundles by branch, and their encoders of the streams that a data set has.

    Args:
        root: The data set.
        paths: Of bundles; of two that read the same stream the first one's encoder is taken.

    Raises:
        BundleError: as `Bundle.load` and `encoders.take`.
    """
    bundles = [Bundle.load(path) for path in paths]
    known = {stream for bundle in bundles for stream in bundle.spec.streams}
    found = take(bundles, [stream for stream in streams_of(root) if stream in known])
    of = {bundle.id: bundle for bundle in bundles}
    return {branch: of[name] for branch, name in found.sources.items()}, found


def gather(
    data: VisualTactile,
    encoders: Encoders,
    settings: MomentSettings,
    cache: Path,
    console: Console | None = None,
) -> Material:
    """Moments of a data set, what encoders make of them, and their captions.

    Raises:
        DataError: as `read_moments`.
        DeviceError: the text encoder is not installed.
    """
    moments = read_moments(data, encoders, settings, cache, console)
    captions = caption(moments.facts)
    texts = TextEncoder()(captions.texts)
    return Material(moments, captions, texts, encoders, data.root.name)


def train_joint(
    material: Material, out: Path, settings: JointSettings, *, console: Console | None = None
) -> JointRun:
    """Train the projections of all modalities and of text.

    The test part is not looked at. A finished run in `out` is read back, an interrupted one
    continues.

    Args:
        material: From `gather`, with the same `settings.moments`.
        out: Folder of the run.
        settings: How.
        console: Where to show progress.

    Raises:
        DataError: the loss is not finite; disk full.
        SettingsError: another run is in `out`.
    """
    torch.manual_seed(settings.schedule.seed)
    model = build(material.encoders, settings)
    record: dict[str, Any] = {
        "settings": dataclasses.asdict(settings),
        "data": material.data,
        "encoders": dict(material.encoders.sources),
        "material_sha256": material.fingerprint(),
    }
    if (out / RECORD).exists():
        found = json.loads((out / RECORD).read_text(encoding="utf-8"))
        require_same(out, found, record)
        fill(model, out / WEIGHTS)
        return JointRun(out, model.eval(), settings, found)
    out.mkdir(parents=True, exist_ok=True)
    task = JointTask(
        model,
        material.moments,
        material.captions,
        material.texts,
        material.modalities,
        settings,
    )
    with shown(console or Console(quiet=True), settings.schedule.steps, out.name) as listener:
        progress = learn(model, task, settings.schedule, out / CHECKPOINT, listener)
    parts = material.moments.parts
    record |= {
        "moments": {part: int((parts == part).sum()) for part in (TRAIN, VALIDATION)},
        "steps": progress.step,
        "best_step": progress.best_step,
        "history": progress.history,
        "temperature": model.temperature.item(),
    }
    save_tensors(out / WEIGHTS, exported(model), {})
    save_text(out / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")
    (out / CHECKPOINT).unlink(missing_ok=True)
    return JointRun(out, model.eval(), settings, record)


def read_joint(folder: Path, encoders: Encoders) -> JointRun:
    """Read a finished run back.

    Args:
        folder: Of `train_joint`.
        encoders: That it was trained with.

    Raises:
        DataError: there is no finished run.
        SettingsError: it was trained with other encoders.
    """
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot be read ({error})",
            where=str(folder / RECORD),
            expected="what `xmodal joint train` left there",
        ) from error
    if found["encoders"] != dict(encoders.sources):
        raise SettingsError(
            f"was trained with the encoders {found['encoders']}",
            where=str(folder),
            expected=str(dict(encoders.sources)),
            do="Name the same bundles by --encoder",
        )
    settings = regrouped(JointSettings(), found["settings"])
    model = build(encoders, settings)
    fill(model, folder / WEIGHTS)
    return JointRun(folder, model.eval(), settings, found)


def build(encoders: Encoders, settings: JointSettings) -> JointSpace:
    """The model with random weights."""
    modules: Mapping[str, Any] = encoders.modules
    widths = {name: module.pooled_width for name, module in modules.items()}
    return JointSpace(widths, encoders.streams, settings)


def exported(model: JointSpace) -> dict[str, torch.Tensor]:
    """Tensors of the projections, without what only training has."""
    return {k: x for k, x in model.state_dict().items() if k.partition(".")[0] in EXPORTED}


def fill(model: JointSpace, path: Path) -> None:
    """Read projections back; the fusion is gone.

    Raises:
        DataError: the file cannot be read.
    """
    tensors, _ = load_tensors(path)
    model.load_state_dict({**model.state_dict(), **tensors})


def embed(model: JointSpace, material: Material) -> dict[str, np.ndarray]:
    """Embeddings of all moments by stream `(N, dim) float32`, and of all captions as text.

    Rows of moments that do not have the stream mean nothing.
    """
    model.eval()
    with torch.inference_mode():
        made = {
            stream: model.view(stream, torch.from_numpy(material.moments.newest(stream))).numpy()
            for stream in material.moments.present
        }
        return made | {TEXT: model.view(TEXT, torch.from_numpy(material.texts)).numpy()}


def first_stream(material: Material) -> dict[str, str]:
    """The stream that stands for each modality: the first one."""
    found: dict[str, str] = {}
    for stream, modality in material.modalities.items():
        found.setdefault(modality, stream)
    return {m.value: found[m.value] for m in Modality if m.value in found}
