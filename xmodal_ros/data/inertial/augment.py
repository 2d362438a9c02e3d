"""Random mounting of inertial sensors, so that a model does not depend on how one is worn."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


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
