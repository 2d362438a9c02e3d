"""Videos that stand for devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def video(tmp_path: Path) -> Callable[..., Path]:
    """Write images `(H, W, 3) uint8` BGR into a file, without loss."""

    def write(images: Iterable[np.ndarray], name: str = "gel.avi") -> Path:
        images = list(images)
        size = images[0].shape[1], images[0].shape[0]
        writer = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter.fourcc(*"FFV1"), 25, size)
        for image in images:
            writer.write(image)
        writer.release()
        return tmp_path / name

    return write
