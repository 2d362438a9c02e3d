"""Verification of a bundle: every problem is collected, not only the first."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from xmodal_ros.core.declare import from_mapping
from xmodal_ros.core.errors import SettingsError, UserError
from xmodal_ros.core.types import IMU_VALUES
from xmodal_ros.runtime.manifest import (
    CARD,
    FORMAT,
    MANIFEST,
    STATISTICS,
    WEIGHTS,
    BackendRecord,
    HeadCard,
    Manifest,
    file_hash,
)

if TYPE_CHECKING:
    from xmodal_ros.nn.architecture import Architecture

_KEYS = ("format", "id", "licence", "weights_sha256", "architecture", "heads")
_OPTIONAL = ("training", "metrics", "backends")
# Starts of files that torch.save and pickle write. They are recognized, never opened: loading one
# runs its code.
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")

_KINDS: tuple[tuple[str, type[Any], str], ...] = (
    ("architecture", Mapping, "mapping"),
    ("heads", Mapping, "mapping"),
    ("training", Mapping, "mapping"),
    ("metrics", Mapping, "mapping"),
    ("backends", Sequence, "list"),
)

Shapes = dict[str, tuple[int, ...]]


def read_manifest(folder: Path) -> tuple[Manifest | None, list[str]]:
    """Read a bundle's manifest and compare its weights with it.

    Returns:
        What it says, or None where too little of it is readable, and all problems in words.
    """
    if not folder.is_dir():
        return None, ["there is no such folder"]
    problems = [f"{n} is missing" for n in (WEIGHTS, MANIFEST, CARD) if not (folder / n).is_file()]
    manifest = _manifest(folder, problems)
    tensors = _tensors(folder / WEIGHTS, problems)
    if manifest is None:
        return None, problems
    for key, kind, word in _KINDS:
        if key in manifest and not isinstance(manifest[key], kind):
            problems.append(f"{key} is {manifest[key]!r}, expected a {word}")
    digest = _digest(folder, manifest, problems)
    spec = _architecture(manifest.get("architecture"), problems)
    heads = _heads(manifest.get("heads"), spec, problems)
    records = _records(manifest.get("backends"), problems)
    if spec is not None and tensors is not None:
        _compare(spec, tensors, problems)
    if spec is None:
        return None, problems
    return Manifest(
        path=folder,
        id=str(manifest.get("id")),
        licence=str(manifest.get("licence")),
        weights_hash=digest,
        architecture=manifest["architecture"],
        spec=spec,
        heads=heads,
        backends=records,
        training=manifest.get("training") or {},
        metrics=manifest.get("metrics") or {},
    ), problems


def _manifest(folder: Path, problems: list[str]) -> Mapping[str, Any] | None:
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{MANIFEST} is not readable as YAML: {' '.join(str(error).split())}")
        return None
    if not isinstance(manifest, Mapping):
        problems.append(f"{MANIFEST} is not a mapping")
        return None
    problems += [f"{MANIFEST} lacks '{key}'" for key in _KEYS if key not in manifest]
    problems += [
        f"{MANIFEST} has an unknown key '{key}'"
        for key in manifest
        if key not in _KEYS + _OPTIONAL
    ]
    if "format" in manifest and manifest["format"] != FORMAT:
        problems.append(f"format is {manifest['format']!r}, expected {FORMAT}")
    return manifest


def _tensors(path: Path, problems: list[str]) -> Shapes | None:
    """Names and shapes from the header of a safetensors file; nothing in the file is executed."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(_PICKLES):
            problems.append(
                f"{WEIGHTS} is a pickle, which can run any code and is not opened; "
                "expected safetensors"
            )
            return None
        try:
            header = json.loads(file.read(min(struct.unpack("<Q", start)[0], 1 << 27)))
            shapes = {k: tuple(v["shape"]) for k, v in header.items() if k != "__metadata__"}
            end = max((v["data_offsets"][1] for v in header.values() if "shape" in v), default=0)
        except (struct.error, ValueError, TypeError, KeyError, AttributeError):
            problems.append(f"{WEIGHTS} is not readable as safetensors")
            return None
        missing = file.tell() + end - path.stat().st_size
    if missing:
        problems.append(
            f"{WEIGHTS} is {abs(missing)} bytes too {'short' if missing > 0 else 'long'}"
        )
    return shapes


def _digest(folder: Path, manifest: Mapping[str, Any], problems: list[str]) -> str:
    if not (folder / WEIGHTS).is_file():
        return ""
    digest, expected = file_hash(folder / WEIGHTS), manifest.get("weights_sha256")
    if expected is not None and digest != expected:
        problems.append(f"{WEIGHTS} has SHA-256 {digest}, {MANIFEST} says {expected}")
    return digest


def _architecture(values: Any, problems: list[str]) -> Architecture | None:
    from xmodal_ros.nn.architecture import Architecture, ImuSettings

    if not isinstance(values, Mapping):
        return None
    try:
        spec = Architecture.from_mapping(values)
    except SettingsError as error:
        problems.append(str(error))
        return None
    problems += [
        f"architecture.branches.{name}.channels is {branch.channels}, an IMU has {IMU_VALUES}"
        for name, branch in spec.branches.items()
        if isinstance(branch, ImuSettings) and branch.channels != IMU_VALUES
    ]
    return spec


def _heads(values: Any, spec: Architecture | None, problems: list[str]) -> dict[str, HeadCard]:
    if not isinstance(values, Mapping):
        return {}
    cards: dict[str, HeadCard] = {}
    for name, entry in values.items():
        where = f"heads.{name}"
        try:
            card = from_mapping(HeadCard, {**entry, "labels": tuple(entry["labels"])}, where)
        except SettingsError as error:
            problems.append(
                f"{where}.{error}" if not error.where.startswith(where) else str(error)
            )
            continue
        except (KeyError, TypeError):
            problems.append(f"{where}.labels is missing, expected a list with one name per class")
            continue
        cards[name] = card
        head = spec.heads.get(name) if spec else None
        if spec and head is None:
            problems.append(
                f"{where} is not in the architecture, which has {', '.join(spec.heads)}"
            )
        if head and len(card.labels) != head.classes:
            problems.append(f"{where} has {len(card.labels)} labels for {head.classes} classes")
        if len(set(card.labels)) < len(card.labels):
            problems.append(f"{where} has a label twice")
    missing = [name for name in spec.heads if name not in values] if spec else []
    problems += [f"heads.{n} is missing: labels of the architecture's head '{n}'" for n in missing]
    return cards


def _records(values: Any, problems: list[str]) -> tuple[BackendRecord, ...]:
    if not isinstance(values, Sequence):
        return ()
    try:
        return tuple(
            from_mapping(BackendRecord, value, f"backends[{i}]") for i, value in enumerate(values)
        )
    except (UserError, TypeError, AttributeError) as error:
        problems.append(f"backends: {error}")
        return ()


def _compare(spec: Architecture, tensors: Shapes, problems: list[str]) -> None:
    """Compare the tensors with those the architecture needs, without allocating any."""
    import torch

    from xmodal_ros.nn.network import Network

    try:
        with torch.device("meta"):
            network = Network(spec)
    except SettingsError as error:
        problems.append(str(error))
        return
    expected: Shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    for head in {k.split(".")[1] for k in tensors if k.startswith(f"{STATISTICS}.")}:
        classes, dim = spec.heads[head].classes if head in spec.heads else 0, spec.trunk.dim
        shapes = {"means": (classes, dim), "whitening": (dim, dim), "scale": (1,)}
        expected.update({f"{STATISTICS}.{head}.{k}": v for k, v in shapes.items()})
    problems += [f"{WEIGHTS} lacks {k} {v}" for k, v in expected.items() if k not in tensors]
    for name, shape in tensors.items():
        if name not in expected:
            problems.append(f"{WEIGHTS} has {name}, which the architecture does not")
        elif shape != expected[name]:
            problems.append(f"{WEIGHTS}: {name} has shape {shape}, expected {expected[name]}")
