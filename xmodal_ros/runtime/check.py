"""Verification of a bundle: every problem is collected, not only the first."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from xmodal_ros.core.declare import from_mapping
from xmodal_ros.core.errors import SettingsError, UserError
from xmodal_ros.core.types import IMU_VALUES
from xmodal_ros.runtime.check_spaces import read_spaces
from xmodal_ros.runtime.check_tensors import Shapes, compare
from xmodal_ros.runtime.manifest import (
    CARD,
    FORMAT,
    MANIFEST,
    TEXT,
    WEIGHTS,
    BackendRecord,
    HeadCard,
    Manifest,
    PointsCard,
    file_hash,
)

if TYPE_CHECKING:
    from xmodal_ros.nn.architecture import Architecture, HeadSettings, PointsSettings

_KEYS = ("format", "id", "licence", "weights_sha256", "architecture", "heads")
_OPTIONAL = ("points", "spaces", TEXT, "training", "metrics", "backends")
# Starts of files that torch.save and pickle write. They are recognized, never opened: loading one
# runs its code.
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")

_KINDS: tuple[tuple[str, type[Any], str], ...] = (
    ("architecture", Mapping, "mapping"),
    ("heads", Mapping, "mapping"),
    ("points", Mapping, "mapping"),
    ("spaces", Sequence, "list"),
    (TEXT, Mapping, "mapping"),
    ("training", Mapping, "mapping"),
    ("metrics", Mapping, "mapping"),
    ("backends", Sequence, "list"),
)

_NAMES = {"heads": "head", "points": "classes of points of branch"}

Card = TypeVar("Card", HeadCard, PointsCard)


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
    heads = _cards(
        HeadCard, "heads", manifest.get("heads"), spec.heads if spec else None, problems
    )
    points = _cards(
        PointsCard, "points", manifest.get("points", {}), spec.points if spec else None, problems
    )
    for name, card in heads.items():
        _require_subsets(name, card, spec, problems)
    spaces, text = read_spaces(manifest, spec, problems)
    records = _records(manifest.get("backends"), problems)
    if spec is not None and tensors is not None:
        compare(spec, text is not None, tensors, problems)
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
        points=points,
        spaces=spaces,
        text=text,
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


def _cards(
    kind: type[Card],
    part: str,
    values: Any,
    declared: Mapping[str, HeadSettings] | Mapping[str, PointsSettings] | None,
    problems: list[str],
) -> dict[str, Card]:
    """What a part of the manifest says of classifiers that the architecture declares.

    Args:
        kind: Of the cards.
        part: Name of it, in the manifest and in the architecture.
        values: Of the manifest.
        declared: Of the architecture; None where that is not readable.
        problems: Grows.
    """
    if not isinstance(values, Mapping):
        return {}
    cards: dict[str, Card] = {}
    for name, entry in values.items():
        where = f"{part}.{name}"
        try:
            labels = tuple(entry["labels"])
            rows = {k: _rows(entry[k]) for k in ("rates", "temperatures") if k in entry}
            card = from_mapping(kind, {**entry, "labels": labels, **rows}, where)
        except SettingsError as error:
            problems.append(
                f"{where}.{error}" if not error.where.startswith(where) else str(error)
            )
            continue
        except (KeyError, TypeError):
            problems.append(f"{where}.labels is missing, expected a list with one name per class")
            continue
        cards[name] = card
        if declared is not None and name not in declared:
            known = ", ".join(declared) or "none"
            problems.append(f"{where} is not in the architecture, which has {known}")
        classes = declared[name].classes if declared and name in declared else len(card.labels)
        if len(card.labels) != classes:
            problems.append(f"{where} has {len(card.labels)} labels for {classes} classes")
        if len(set(card.labels)) < len(card.labels):
            problems.append(f"{where} has a label twice")
    problems += [
        f"{part}.{n} is missing: labels of the architecture's {_NAMES[part]} '{n}'"
        for n in declared or {}
        if n not in values
    ]
    return cards


def _require_subsets(
    head: str, card: HeadCard, spec: Architecture | None, problems: list[str]
) -> None:
    """Temperatures are of some of a head's streams, not of all, in its order."""
    if spec is None or head not in spec.heads:
        return
    streams = spec.heads[head].streams
    for names, _ in card.temperatures:
        there = names.split("+")
        if there != [s for s in streams if s in there] or len(there) == len(streams):
            problems.append(
                f"heads.{head}.temperatures has '{names}', expected some, not all, of "
                f"{'+'.join(streams)} in this order"
            )


def _rows(value: Any) -> Any:
    """A list of lists as tuples; anything else is left for the check of settings."""
    if not isinstance(value, list):
        return value
    return tuple(tuple(row) if isinstance(row, list) else row for row in value)


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
