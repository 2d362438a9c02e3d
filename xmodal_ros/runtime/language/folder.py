"""A describer on disk: reader, how streams are read, and where encoders and language model are.

`describer.yaml` and `weights.safetensors` are ours; the encoders are a bundle, the language model
is in the hub's format. Both are usually folders inside; nothing is a pickle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from xmodal_ros.core.declare import from_mapping
from xmodal_ros.core.errors import BundleError, SettingsError
from xmodal_ros.runtime.language.settings import ReaderSettings, ReadingSettings
from xmodal_ros.runtime.manifest import WEIGHTS, file_hash

MANIFEST = "describer.yaml"
ENCODERS, LANGUAGE_MODEL = "encoders", "language_model"
FORMAT = 2
"""1 averaged what streams gave."""
_KEYS = (
    "format",
    "licence",
    "encoders",
    "language_model",
    "weights_sha256",
    "abstain_below",
    "reader",
    "streams",
)


@dataclass(frozen=True)
class DescriberFolder:
    """What a describer's folder says, checked."""

    path: Path
    licence: str
    encoders: Path
    """Folder of a bundle."""
    language_model: str
    """A folder, or a name on the hub."""
    reader: ReaderSettings
    streams: Mapping[str, ReadingSettings]
    abstain_below: float
    """Confidence under which the answer is that it does not know."""
    training: Mapping[str, Any] = field(default_factory=dict)


def read_folder(path: Path) -> DescriberFolder:
    """Read and check.

    Raises:
        BundleError: a file is missing, damaged or says what it cannot.
    """
    if not path.is_dir():
        raise BundleError("there is no such folder", where=str(path), expected="a describer")
    missing = [name for name in (MANIFEST, WEIGHTS) if not (path / name).is_file()]
    if missing:
        raise BundleError(
            f"{' and '.join(missing)} missing",
            where=str(path),
            expected="a describer as `xmodal language` writes it",
        )
    where = path / MANIFEST
    try:
        said = yaml.safe_load(where.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise BundleError(f"is not readable as YAML: {why}", where=str(where)) from error
    lacking = [key for key in _KEYS if not isinstance(said, Mapping) or key not in said]
    if lacking:
        raise BundleError(f"lacks {', '.join(lacking)}", where=str(where))
    if said["format"] != FORMAT:
        raise BundleError(f"format is {said['format']!r}", where=str(where), expected=str(FORMAT))
    if file_hash(path / WEIGHTS) != said["weights_sha256"]:
        raise BundleError(
            "is not the file that was written",
            where=str(path / WEIGHTS),
            expected=f"SHA-256 {said['weights_sha256']}",
            do="Copy the folder again",
        )
    try:
        reader = from_mapping(ReaderSettings, said["reader"], "reader")
        streams = {
            name: from_mapping(ReadingSettings, values, f"streams.{name}")
            for name, values in said["streams"].items()
        }
        abstain_below = float(said["abstain_below"])
    except (SettingsError, AttributeError, TypeError, ValueError) as error:
        raise BundleError(f"cannot be used ({error})", where=str(where)) from error
    inside = path / str(said["language_model"])
    return DescriberFolder(
        path=path,
        licence=str(said["licence"]),
        encoders=path / str(said["encoders"]),  # an absolute one stays as it is
        language_model=str(inside if inside.is_dir() else said["language_model"]),
        reader=reader,
        streams=streams,
        abstain_below=abstain_below,
        training=said.get("training") or {},
    )


def write_folder(
    path: Path,
    tensors: Mapping[str, Any],
    reader: ReaderSettings,
    streams: Mapping[str, ReadingSettings],
    *,
    licence: str,
    encoders: str = ENCODERS,
    language_model: str = LANGUAGE_MODEL,
    abstain_below: float = 0.0,
    training: Mapping[str, Any] | None = None,
) -> DescriberFolder:
    """Write the files that are ours, and check them.

    Args:
        path: Folder, made if needed.
        tensors: State of the `Reader`.
        reader: Of the resampler.
        streams: How each is read.
        licence: Of the weights.
        encoders: Folder of the bundle, relative to `path` or absolute.
        language_model: The same, or a name on the hub.
        abstain_below: Confidence under which it does not know.
        training: Where the weights come from, as plain data.
    """
    from safetensors.torch import save

    path.mkdir(parents=True, exist_ok=True)
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    (path / WEIGHTS).write_bytes(save(whole))
    said = {
        "format": FORMAT,
        "licence": licence,
        "encoders": encoders,
        "language_model": language_model,
        "weights_sha256": file_hash(path / WEIGHTS),
        "abstain_below": abstain_below,
        "reader": dataclasses.asdict(reader),
        "streams": {name: dataclasses.asdict(values) for name, values in streams.items()},
        "training": dict(training or {}),
    }
    text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=99)
    (path / MANIFEST).write_text(text, encoding="utf-8")
    return read_folder(path)
