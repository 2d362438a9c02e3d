"""Materials, and one instance of one: its relief and colour as seen by gel and camera alike.

Points are given in the frame of the body the surface belongs to, so that the pattern moves with
the body and goes on over all geoms of a composed object. A point is projected along the axis its
normal is closest to; on a curved body the pattern therefore has a seam where that axis changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

GEL_MODULUS_PA = 0.15e6
"""Young's modulus of the gel: a soft silicone elastomer, about Shore 00-50."""

_ROW = 4096  # OpenCV maps at most 32767 points per row


Range = tuple[float, float]
Colours = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Material:
    """A kind of material; ranges are (least, most) of its instances."""

    name: str
    relief: str
    """Family in `relief.FAMILIES`."""
    roughness_m: Range
    """Mean absolute height Ra in m."""
    hardness: float
    """log10 of Young's modulus in Pa: 5 a sponge, 6.5 rubber, 9.5 plastic, 11.3 steel."""
    density: float
    """kg/m³"""
    friction: Range
    reflectivity: Range
    """Of a LiDAR's beam at 905 nm."""
    specular: Range
    gloss: Range
    colours: Colours = ()
    """Linear RGB an instance's colour is near to; any hue where there is none."""
    contrast: float = 0.25
    """How much darker the deepest parts of the relief are."""
    accent: float = 0.0
    """How far the high parts take a second colour, as yarns and veins do."""


@dataclass(frozen=True, eq=False)
class Surface:
    """What one object is covered with; made by `materials.draw`."""

    material: Material
    texture_id: str
    tile_m: float
    height: np.ndarray
    """`(S, S) float32` in m, tileable, mean 0, high is outwards."""
    albedo: np.ndarray
    """`(S, S, 3) float32`, linear RGB in [0, 1]."""
    friction: float
    density: float
    """kg/m³"""
    specular: float
    """Share of light reflected as a highlight, 0 to 1."""
    gloss: float
    """Sharpness of that highlight: 0 dull, 1 mirror-like."""
    reflectivity: float
    """Of a LiDAR's beam, 0 to 1."""
    hardness: float
    """log10 of Young's modulus in Pa."""
    roughness_m: float
    """Mean absolute height Ra in m."""
    _levels: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list, repr=False)

    @property
    def peak_m(self) -> float:
        """Height of the highest point in m."""
        return float(self.height.max())

    @property
    def gel_share(self) -> float:
        """Share of an overlap that the gel takes up; a soft object takes the rest itself.

        Springs in series: `E / (E + E_gel)`.
        """
        modulus = 10.0**self.hardness
        return modulus / (modulus + GEL_MODULUS_PA)

    def heights(self, across: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Relief `(N,)` in m at the two coordinates `(N,)` that are left after projecting."""
        return _lookup(self.height, self.tile_m, np.stack([across, along], axis=1))

    def sample(
        self, points: np.ndarray, normals: np.ndarray, footprint_m: float | np.ndarray = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a camera sees at points of the surface.

        Args:
            points: `(N, 3)` in m, in the frame of the body.
            normals: `(N, 3)` unit normals in that frame.
            footprint_m: Width of a pixel on the surface, scalar or `(N,)`; finer relief is
                averaged, as a camera does.

        Returns:
            Height `(N,)` in m, albedo `(N, 3)`, and what to add to the normals `(N, 3)` before
            they are made unit length again; all float32.
        """
        axes = _axes(normals)
        plane = _project(points, axes)
        texel = self.tile_m / len(self.height)
        wanted = np.log2(np.maximum(footprint_m, texel) / texel)
        levels = np.broadcast_to(np.rint(wanted).astype(np.int64), len(plane))
        levels = np.minimum(levels, self._depth - 1)
        relief = np.empty((len(plane), 3), np.float32)
        albedo = np.empty((len(plane), 3), np.float32)
        for level in np.unique(levels):
            chosen = levels == level
            shape, colour = self._level(int(level))
            relief[chosen] = _lookup(shape, self.tile_m, plane[chosen])
            albedo[chosen] = _lookup(colour, self.tile_m, plane[chosen])
        return relief[:, 0], albedo, _tilt(relief[:, 1:], axes)

    @property
    def _depth(self) -> int:
        return int(np.log2(len(self.height))) - 1

    def _level(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """(height, slopes) and albedo, halved `level` times; made when first asked for."""
        while len(self._levels) <= level:
            side = len(self.height) >> len(self._levels)
            height = cv2.resize(self.height, (side, side), interpolation=cv2.INTER_AREA)
            step = 2 * self.tile_m / side
            across = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / step
            along = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / step
            albedo = cv2.resize(self.albedo, (side, side), interpolation=cv2.INTER_AREA)
            self._levels.append((np.dstack([height, across, along]), albedo))
        return self._levels[level]


_PLANES = np.array([[1, 2], [0, 2], [0, 1]])
"""The two axes of the plane that is left when a point is projected along x, y or z."""


def _axes(normals: np.ndarray) -> np.ndarray:
    return np.argmax(np.abs(normals), axis=1)


def _project(points: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """`(N, 2)` coordinates in the plane across the chosen axis."""
    if len(axes) and (axes == axes[0]).all():
        return points[:, _PLANES[axes[0]]]
    return np.take_along_axis(points, _PLANES[axes], axis=1)


def _tilt(slopes: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Normal perturbation `(N, 3)`: minus the slope along the two axes of the plane."""
    tilt = np.zeros((len(axes), 3), np.float32)
    np.put_along_axis(tilt, _PLANES[axes], -slopes, axis=1)
    return tilt


def _lookup(texture: np.ndarray, tile_m: float, plane: np.ndarray) -> np.ndarray:
    """Texture values at points of the plane, linear between texels, repeated beyond the tile."""
    side = len(texture)
    where = plane.astype(np.float32) * np.float32(1 / tile_m)
    where -= np.floor(where)
    where *= side
    rows = -(-len(where) // _ROW)
    padded = np.zeros((rows * _ROW, 2), np.float32)
    padded[: len(where)] = where
    x, y = (padded[:, i].reshape(rows, _ROW) for i in range(2))
    found = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return found.reshape(rows * _ROW, *texture.shape[2:])[: len(where)]
