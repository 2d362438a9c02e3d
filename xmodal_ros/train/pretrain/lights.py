"""Mirror images of a gel sensor: which ones its lights allow, and how colours change places."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.errors import SettingsError

TOLERANCE_DEG = 10.0
UNKNOWN, WHITE = "unknown", "white"


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A mirroring of the image, and where each output channel is taken from."""

    left_right: bool
    up_down: bool
    channels: tuple[int, ...]


IDENTITY = Symmetry(False, False, (0, 1, 2))


def symmetries(lights: str) -> tuple[Symmetry, ...]:
    """Mirrorings after which an image could have come from the same sensor.

    A mirrored gel image is lit from mirrored sides, so a slope has another colour than this
    sensor would give it. Where the mirrored lights fall on the places of the sensor's own ones,
    swapping the channels accordingly puts that right, as far as the LEDs are alike. Where they do
    not, there is no such mirroring.

    Args:
        lights: Three angles in degrees, "white" (any mirroring, no swap) or "unknown" (none).

    Raises:
        SettingsError: `lights` is something else.
    """
    if lights == UNKNOWN:
        return (IDENTITY,)
    angles = None if lights == WHITE else _angles(lights)
    found = []
    for left_right, up_down in itertools.product((False, True), repeat=2):
        channels = _swap(angles, left_right, up_down) if angles is not None else (0, 1, 2)
        if channels is not None:
            found.append(Symmetry(left_right, up_down, channels))
    return tuple(found)


def _angles(text: str) -> np.ndarray:
    try:
        angles = np.array([float(part) for part in text.split(",")])
    except ValueError:
        angles = np.zeros(0)
    if len(angles) != 3 or not np.isfinite(angles).all():
        raise SettingsError(
            f"got {text!r}",
            where="tactile.lights",
            expected="'unknown', 'white' or three angles in degrees such as '90,210,330'",
        )
    return angles


def _swap(angles: np.ndarray, left_right: bool, up_down: bool) -> tuple[int, ...] | None:
    mirrored = 180 - angles if left_right else angles
    mirrored = -mirrored if up_down else mirrored
    for order in itertools.permutations(range(3)):
        apart = (mirrored[list(order)] - angles + 180) % 360 - 180
        if (np.abs(apart) <= TOLERANCE_DEG).all():
            return order  # output channel c shows the light of channel order[c], mirrored
    return None
