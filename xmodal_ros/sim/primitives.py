"""Where parallel rays enter and leave MuJoCo's primitives, for all pixels of a gel at once.

MuJoCo's own `mj_multiRay` casts from a single point, and one call per pixel is too slow. Formulas
are the usual quadratic and slab tests, in the primitive's own frame. Each function takes the size
of the geom, the origins' x, y, z `(N,)` and one unit direction `(3,)`, and returns the distances
`(N,)` at which rays enter and leave: negative behind the origin, (inf, -inf) for those that miss.
"""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np

Origins = tuple[np.ndarray, np.ndarray, np.ndarray]
Span = tuple[np.ndarray, np.ndarray]
Cross = Callable[[np.ndarray, Origins, np.ndarray], Span]


def _roots(a: float, b: np.ndarray, c: np.ndarray) -> Span:
    """Roots of `a t² + 2 b t + c`; (inf, -inf) where it has none."""
    square = b * b - a * c
    root = np.sqrt(np.maximum(square, 0))
    return _met(square >= 0, (-b - root) / a, (root - b) / a)


def _met(hit: np.ndarray, near: np.ndarray, far: np.ndarray) -> Span:
    """The span where `hit`, that of a miss elsewhere."""
    return np.where(hit, near, np.inf), np.where(hit, far, -np.inf)


def _ellipsoid(size: np.ndarray, origins: Origins, direction: np.ndarray) -> Span:
    d = direction / size
    x, y, z = (o / s for o, s in zip(origins, size, strict=True))
    along = x * d[0] + y * d[1] + z * d[2]
    return _roots(float(d @ d), along, x * x + y * y + z * z - 1)


def _sphere(size: np.ndarray, origins: Origins, direction: np.ndarray) -> Span:
    return _ellipsoid(np.full_like(size, size[0]), origins, direction)


def _endless(inside: np.ndarray) -> Span:
    """Of rays that never cross a surface because they run along it."""
    return np.where(inside, -np.inf, np.inf), np.where(inside, np.inf, -np.inf)


def _slab(half: float, origin: np.ndarray, along: float) -> Span:
    """Distances where rays enter and leave the space between two faces across an axis."""
    if abs(along) < 1e-9:
        return _endless(np.abs(origin) <= half)
    reach = half / abs(along)
    middle = origin * (-1 / along)
    return middle - reach, middle + reach


def _box(size: np.ndarray, origins: Origins, direction: np.ndarray) -> Span:
    slabs = [_slab(*args) for args in zip(size, origins, direction, strict=True)]
    near = np.maximum(np.maximum(slabs[0][0], slabs[1][0]), slabs[2][0])
    far = np.minimum(np.minimum(slabs[0][1], slabs[1][1]), slabs[2][1])
    return _met(near <= far, near, far)


def _tube(radius: float, origins: Origins, direction: np.ndarray) -> Span:
    """Distances where rays enter and leave an endless cylinder along z."""
    (x, y, _), d = origins, direction
    outside = x * x + y * y - radius**2
    steep = float(d[0] ** 2 + d[1] ** 2)
    if steep < 1e-12:
        return _endless(outside <= 0)
    return _roots(steep, x * d[0] + y * d[1], outside)


def _cylinder(size: np.ndarray, origins: Origins, direction: np.ndarray) -> Span:
    near, far = _tube(size[0], origins, direction)
    low, high = _slab(size[1], origins[2], direction[2])
    near, far = np.maximum(near, low), np.minimum(far, high)
    return _met(near <= far, near, far)


def _capsule(size: np.ndarray, origins: Origins, direction: np.ndarray) -> Span:
    x, y, z = origins
    wall = _cylinder(size, origins, direction)
    ends = [_sphere(size, (x, y, z + end), direction) for end in (-size[1], size[1])]
    nears, fars = zip(wall, *ends, strict=True)
    return np.minimum.reduce(nears), np.maximum.reduce(fars)


PRIMITIVES: dict[int, Cross] = {
    int(mujoco.mjtGeom.mjGEOM_SPHERE): _sphere,
    int(mujoco.mjtGeom.mjGEOM_ELLIPSOID): _ellipsoid,
    int(mujoco.mjtGeom.mjGEOM_BOX): _box,
    int(mujoco.mjtGeom.mjGEOM_CYLINDER): _cylinder,
    int(mujoco.mjtGeom.mjGEOM_CAPSULE): _capsule,
}
