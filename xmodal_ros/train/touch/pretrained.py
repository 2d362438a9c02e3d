"""What a pretrained encoder asks of a network that uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xmodal_ros.core.errors import DataError
from xmodal_ros.train.pretrain.run import RECORD

KEPT = ("backbone", "level", "camera_normalization", "tactile_normalization")
"""Settings of pretraining that are stage 2's as well."""


def encoder_overrides(encoder: str) -> list[str]:
    """Overrides of `TouchSettings` for what `xmodal pretrain` wrote.

    Args:
        encoder: The folder, or a file in it; empty for none.

    Raises:
        DataError: the record of pretraining is not beside it.
    """
    if not encoder:
        return []
    was = pretrained_settings(encoder)
    made = [f"encoder.weights={encoder}", f"trunk.dim={was['dim']}"]
    return made + [f"encoder.{name}={was[name]}" for name in KEPT]


def encoder_title(encoder: str) -> str:
    """Backbone and folder: a name that says nothing of the machine."""
    return f"{pretrained_settings(encoder)['backbone']}, {_folder(encoder).resolve().name}"


def _folder(encoder: str) -> Path:
    path = Path(encoder)
    return path if path.is_dir() else path.parent


def pretrained_settings(encoder: str) -> dict[str, Any]:
    """Settings of the encoder that `xmodal pretrain` wrote.

    Raises:
        DataError: the record of pretraining is not beside it.
    """
    path = _folder(encoder) / RECORD
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["settings"]["encoder"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"cannot be read ({error!r})",
            where=str(path),
            expected="what `xmodal pretrain` left beside its encoder",
        ) from error
    return found
