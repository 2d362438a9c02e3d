"""Random mounting of inertial sensors, so that a model does not depend on how one is worn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from xmodal_ros.data.inertial.track import ORIENTATION
from xmodal_ros.data.inertial.windows import SIX, Slot


def remount(
    values: np.ndarray, rng: np.random.Generator, turned: float, wobble_deg: float
) -> np.ndarray:
    """Windows as if their sensors were mounted otherwise, or not quite alike.

    Args:
        values: Of one device, all vectors `(N, T, C)`.
        rng: Where the rotations come from.
        turned: Each window's chance of a rotation that is uniform in SO(3).
        wobble_deg: Root mean square of the small rotations of all others, about random axes.

    Returns:
        A copy.
    """
    count = len(values)
    small = np.deg2rad(wobble_deg) / np.sqrt(3) * rng.standard_normal((count, 3))
    rotations = Rotation.from_rotvec(small).as_matrix()
    anyhow = rng.random(count) < turned
    if anyhow.any():
        rotations[anyhow] = Rotation.random(int(anyhow.sum()), rng).as_matrix()
    vectors = values.reshape(count, -1, 3)
    made: np.ndarray = vectors @ rotations.astype(values.dtype).swapaxes(1, 2)
    return made.reshape(values.shape)


def turn(
    values: np.ndarray,
    present: np.ndarray,
    rng: np.random.Generator,
    slots: Sequence[Slot] = SIX,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn each device of each window by a rotation of its own, uniform in SO(3).

    All vectors of one device turn together. Angles of orientation would need their convention,
    which no data set here tells: in a turned window they are absent, since they would give away
    how the device was mounted.

    Args:
        values: `(N, T, 3 * slots)`.
        present: `(N, slots) bool`.
        rng: Where the rotations come from.
        slots: What the channels are.

    Returns:
        Copies of both.
    """
    turned, there = values.copy(), present.copy()
    by_device = {
        device: Rotation.random(len(values), rng).as_matrix().astype(values.dtype)
        for device in dict.fromkeys(slot.device for slot in slots)
    }  # (N, 3, 3) each
    for k, slot in enumerate(slots):
        columns = slice(3 * k, 3 * k + 3)
        if slot.quantity == ORIENTATION:
            turned[..., columns], there[:, k] = 0.0, False
        else:
            rotations = by_device[slot.device].swapaxes(1, 2)
            turned[..., columns] = values[..., columns] @ rotations  # (N, T, 3) @ (N, 3, 3)
    return turned, there
