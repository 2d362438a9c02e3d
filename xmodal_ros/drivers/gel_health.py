"""What is wrong with a gel camera's images: frozen, too bright or dark, or of another unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.types import Modality, StreamData
from xmodal_ros.drivers.gel_settings import HealthSettings
from xmodal_ros.drivers.reference import OTHER_UNIT, Reference
from xmodal_ros.runtime.contact import GRID_PX, touched

CLIPPED = 250
"""Grey level from which on a pixel says nothing."""
SATURATED = 0.1
"""Share of pixels; in 298 real clips of GelSight Mini fingers it is never above 0.011."""
DARK = 8.0
"""Mean grey level below which the lights are off."""


@dataclass(frozen=True)
class Look:
    """What one image shows.

    Attributes:
        contact: Whether something touches the gel; None while no reference is known.
        saturated: Share of pixels at the end of their range.
        brightness: Mean grey level.
        frozen: Whether images have been equal for too long.
    """

    contact: bool | None = None
    saturated: float = 0.0
    brightness: float = 0.0
    frozen: bool = False


class GelHealth:
    """Looks at images.

    Args:
        settings: Its thresholds.
    """

    def __init__(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._before = np.empty(0, np.uint8)
        self._changed_ns = 0

    def look(self, image: np.ndarray, captured_ns: int, reference: Reference) -> Look:
        """What an image `(H, W, 3) uint8` that was captured at a time shows."""
        step = max(round(image.shape[1] / GRID_PX), 1)
        grid = image[::step, ::step]
        # A sensor's noise changes some pixel in every image.
        if not np.array_equal(grid, self._before):
            self._before, self._changed_ns = grid.copy(), captured_ns
        still_s = (captured_ns - self._changed_ns) * 1e-9
        known = reference.image is not None and reference.image.shape == image.shape
        return Look(
            contact=touched(_stream(image, captured_ns, reference)) if known else None,
            saturated=float((grid >= CLIPPED).any(2).mean()),
            brightness=float(grid.mean()),
            frozen=still_s >= self._settings.frozen_after_s,
        )


def trouble(look: Look, unlike: float) -> list[str]:
    """What is wrong and what to do, in clauses; empty for a good image.

    Args:
        look: Of the last image.
        unlike: `Reference.unlike`.
    """
    found = []
    if look.frozen:
        found.append("the image is frozen: its pixels do not change at all; plug the sensor again")
    if look.saturated > SATURATED:
        share = f"{look.saturated:.0%}"
        found.append(f"{share} of the pixels are saturated: set a shorter device.exposure")
    if look.brightness < DARK:
        found.append("the image is dark: check that the gel's lights are on")
    if unlike > OTHER_UNIT:
        found.append(
            "its lights are not those of reference.file: another unit, or its gel was changed, or "
            "it has been touched since the start. Let go and call ~/capture_reference, or name "
            "the unit's own device and file"
        )
    return found


def _stream(image: np.ndarray, captured_ns: int, reference: Reference) -> StreamData:
    return StreamData(
        modality=Modality.TACTILE,
        data=image,
        stamps_ns=(captured_ns,),
        age_ns=0,
        reference=reference.image,
    )
