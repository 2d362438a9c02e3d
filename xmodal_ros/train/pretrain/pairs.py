"""What a data set gives to pretraining: pairs of a camera and a gel image, read one by one."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.visual_tactile.pairs import Pair

CAMERA, TACTILE = "camera", "tactile"
MODALITIES = (CAMERA, TACTILE)


class PairSource(Protocol):
    """Pairs by number; read by several threads at once. Their images may be of any size."""

    def __len__(self) -> int:
        """Number of pairs."""
        ...

    def __getitem__(self, index: int, /) -> Pair:
        """Read one pair; raises `DataError` where it cannot."""
        ...


def check_pair(pair: Pair) -> None:
    """Refuse what is no 8-bit colour image.

    Raises:
        DataError: an image has another shape or type, or a gel's three channels are alike: grey.
    """
    for modality in MODALITIES:
        image = getattr(pair, modality)
        where = f"{pair.name} ({modality})"
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise DataError(
                f"got an array {image.shape} {image.dtype}",
                where=where,
                expected="an 8-bit RGB image (H, W, 3) uint8",
            )
        if modality == TACTILE and (image == image[..., :1]).all():
            raise DataError(
                "is grey: its three channels are alike",
                where=where,
                expected="a colour image; a gel's colours are the directions of its lights",
            )
