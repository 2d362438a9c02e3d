"""The no-contact image of a gel camera, kept in a file that tells units apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.reference import ReferenceEstimator

GRID = (16, 12)
"""Width and height at which units are compared: their lights differ, not what touches them."""
OTHER_UNIT = 0.04
"""Change of the lights that makes another unit. Of real GelSight Mini images, 95 % of pairs of a
left and a right finger differ by more than 0.038, and those of one finger that touches nothing by
about 0.01; a gel or light that was changed is another unit."""


class Reference:
    """Estimates the no-contact image, and keeps it where a file is named.

    An image that is kept is taken over at the start; then only `capture` changes it. Otherwise
    it follows the estimate, as perception's does.

    Args:
        file: PNG; None to keep nothing.

    Raises:
        DataError: the file is there but no image.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._estimator = ReferenceEstimator()
        self._taken = 0
        self.image: np.ndarray | None = None
        """Shape: (H, W, 3), uint8, RGB; None until there is one."""
        if file and file.exists():
            stored = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if stored is None:
                raise DataError("is no image", where=str(file), do="Remove it, or name another")
            self.image = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
        self._kept = self.image is not None
        self._anew = False

    def add(self, image: np.ndarray) -> bool:
        """Take the next image `(H, W, 3) uint8` RGB; whether the reference is another one now.

        Raises:
            DataError: the file cannot be written.
        """
        if self._anew:
            self._estimator.reset()
            self._taken = self._estimator.id
            self._anew = self._kept = False
        if self.image is not None and self.image.shape != image.shape:
            self._kept = False
        self._estimator.add(image)
        found = self._estimator
        if self._kept or found.image is None or found.id == self._taken:
            return False
        self.image, self._taken = found.image, found.id
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if not cv2.imwrite(str(self._file), cv2.cvtColor(self.image, cv2.COLOR_RGB2BGR)):
                raise DataError("cannot be written", where=str(self._file))
        return True

    def capture(self) -> None:
        """Take it anew, from the next still images; from any thread."""
        self._anew = True

    @property
    def unlike(self) -> float:
        """How much the lights differ from those of the image that is kept, 0 where they do not."""
        if not self._kept or self.image is None or self._estimator.image is None:
            return 0.0
        return lights_differ(self.image, self._estimator.image)


def lights_differ(one: np.ndarray, other: np.ndarray) -> float:
    """Median change of the lights between two images `(H, W, 3) uint8`, at mean brightness 1.

    The median passes over a contact of up to half of the gel.
    """
    grids = [
        cv2.resize(i, GRID, interpolation=cv2.INTER_AREA).astype(np.float32) for i in (one, other)
    ]
    scaled = [grid / max(float(grid.mean()), 1.0) for grid in grids]
    return float(np.median(np.abs(scaled[0] - scaled[1]).mean(2)))
