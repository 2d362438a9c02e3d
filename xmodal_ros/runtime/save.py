"""Writing model bundles."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import yaml

from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.manifest import (
    BRANCH_STATISTICS,
    CARD,
    FORMAT,
    MANIFEST,
    STATISTICS,
    TEXT,
    WEIGHTS,
    HeadCard,
    PointsCard,
    TextCard,
    file_hash,
)
from xmodal_ros.runtime.text import NAME, installed_version

if TYPE_CHECKING:
    from torch import nn

    from xmodal_ros.nn.network import Network

Statistics = Mapping[str, Mapping[str, npt.NDArray[np.float32]]]


def save_bundle(
    path: str | Path,
    *,
    name: str,
    network: Network,
    architecture: Mapping[str, Any],
    heads: Mapping[str, HeadCard],
    points: Mapping[str, PointsCard] | None = None,
    spaces: Sequence[Sequence[str]] = (),
    text: nn.Module | None = None,
    licence: str,
    card: str,
    training: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    statistics: Statistics | None = None,
    branch_statistics: Statistics | None = None,
) -> Bundle:
    """Write a bundle and load it back.

    Args:
        path: Folder, made if needed.
        name: The bundle's id.
        network: Trained network.
        architecture: The mapping it was built from.
        heads: Labels, calibration and thresholds by head.
        points: Labels and calibration of the classes of points, by branch.
        spaces: Groups of branches whose embeddings were trained to be compared; "text" is in one
            of them where `text` is given.
        text: Trained projection of sentences, as `text.text_projection` makes it.
        licence: Of the weights.
        card: Text of README.md.
        training: Data sets, hashes of splits, seed: whatever says where the weights come from.
        metrics: Scores as plain numbers.
        statistics: By head, from `ood.fit_statistics`.
        branch_statistics: By branch, from `ood.fit_branch`.

    Raises:
        BundleError: the parts do not fit together.
        DeviceError: `text` is given, and the sentence encoder is not installed.
    """
    from safetensors.torch import save

    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = _tensors(network)
    for prefix, owners in ((STATISTICS, statistics), (BRANCH_STATISTICS, branch_statistics)):
        tensors |= _named(prefix, owners or {})
    words = {}
    if text is not None:
        words = {TEXT: _plain(dataclasses.asdict(TextCard(NAME, installed_version())))}
        tensors |= {f"{TEXT}.{name}": value for name, value in _tensors(text).items()}
    (folder / WEIGHTS).write_bytes(save(tensors))
    manifest = {
        "format": FORMAT,
        "id": name,
        "licence": licence,
        "weights_sha256": file_hash(folder / WEIGHTS),
        "architecture": _plain(architecture),
        "heads": {n: _plain(dataclasses.asdict(h)) for n, h in heads.items()},
        "points": {n: _plain(dataclasses.asdict(p)) for n, p in (points or {}).items()},
        "spaces": _plain(spaces),
        **words,
        "training": _plain(training or {}),
        "metrics": _plain(metrics or {}),
        "backends": [],
    }
    write_manifest(folder, manifest)
    (folder / CARD).write_text(card, encoding="utf-8")
    return Bundle.load(folder)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write bundle.yaml, keys in the given order."""
    text = yaml.safe_dump(dict(manifest), sort_keys=False, allow_unicode=True, width=99)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def _tensors(network: nn.Module) -> dict[str, Any]:
    # Half precision for matrices and kernels only: BatchNorm variances do not fit its range.
    return {
        k: (v.half() if v.is_floating_point() and v.ndim > 1 else v).contiguous().cpu()
        for k, v in network.state_dict().items()
    }


def _named(prefix: str, statistics: Statistics) -> dict[str, Any]:
    """Tensors under the names that they have in the file."""
    import torch

    return {
        f"{prefix}.{owner}.{name}": torch.from_numpy(value.copy())
        for owner, values in statistics.items()
        for name, value in values.items()
    }


def _plain(value: Any) -> Any:
    """Only what YAML knows, so that loading never needs our classes."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value
