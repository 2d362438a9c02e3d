"""A gel without hardware: coloured lights from three sides, dots, noise, and a ball that presses.

It has the look of a GelSight, for trying a driver and what hears it, and for nothing that is
measured.
"""

from __future__ import annotations

import numpy as np

PERIOD = 75
"""Frames from one press to the next; in the first half nothing touches."""
NOISE = 3
"""Largest, in grey levels."""
DEEPEST = 60.0


class SyntheticGel:
    """Gives one image after the other; the same ones in every run.

    Args:
        width: In pixels.
        height: In pixels.
        seed: Of noise and of the unit: units differ in their lights.
    """

    def __init__(self, width: int, height: int, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        sides = np.deg2rad(np.array([90, 210, 330]) + self._rng.uniform(-25, 25, 3))
        lit = x[..., None] * np.cos(sides) + y[..., None] * np.sin(sides)
        self._rest = (110 + self._rng.uniform(-15, 15, 3) + 35 * lit).astype(np.float32)
        row, column = np.mgrid[:height, :width]
        spacing, radius = max(height // 8, 4), max(height // 60, 1)
        near = [(row % spacing) - spacing // 2, (column % spacing) - spacing // 2]
        self._rest[np.hypot(*near) <= radius] *= 0.4
        bump = np.exp(-((x - 0.1) ** 2 + y**2) / 0.08)
        slope = np.stack(np.gradient(bump), 2) / max(float(np.abs(np.gradient(bump)).max()), 1e-6)
        self._press = slope @ np.stack([np.sin(sides), np.cos(sides)])
        self._count = 0

    def image(self) -> np.ndarray:
        """The next image `(H, W, 3) uint8` BGR."""
        phase = self._count % PERIOD / PERIOD
        depth = DEEPEST * max(0.0, np.sin(2 * np.pi * (phase - 0.5)))
        self._count += 1
        noise = self._rng.integers(-NOISE, NOISE, self._rest.shape, np.int8, endpoint=True)
        image = self._rest + depth * self._press + noise
        return np.clip(image, 0, 255).astype(np.uint8)

    def close(self) -> None:
        """Nothing is held."""
