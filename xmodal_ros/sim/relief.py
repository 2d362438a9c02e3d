"""Makes the micro-relief of surfaces: tileable height maps of one family each.

A family is a function of a random generator and the map's size. It draws its own parameters
(pitch, direction, disorder), so that no two instances are alike, and returns the tile's length in
metres with heights of any scale; `materials` scales them to the roughness it wants. High is
outwards.
Wavelengths are whole fractions of the tile, so the tile repeats without a seam.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Relief = tuple[float, np.ndarray]
"""Length of the tile's side in m, heights `(S, S)`."""


def _noise(
    rng: np.random.Generator,
    size: int,
    tile_m: float,
    low_m: float,
    high_m: float,
    stretch: float = 1.0,
) -> np.ndarray:
    """Noise with wavelengths from `low_m` to `high_m`, `stretch` times longer along the rows."""
    white = np.fft.rfft2(rng.standard_normal((size, size)))
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    per_m = np.hypot(rows, columns * stretch) * size / tile_m
    band = np.exp(-((per_m * low_m) ** 2) / 2) * (1 - np.exp(-((per_m * high_m) ** 2) / 2))
    made = np.fft.irfft2(white * band, s=(size, size))
    return made / made.std()


def _waves(size: int, across: int, along: int = 0) -> np.ndarray:
    """Phase of a plane wave with whole numbers of periods over columns and rows."""
    grid = np.arange(size) * (2 * np.pi / size)
    return across * grid[None, :] + along * grid[:, None]


def _bend(rng: np.random.Generator, size: int, tile_m: float, pitch_m: float) -> np.ndarray:
    """Slow disorder of a regular pattern, in radians of its phase."""
    return rng.uniform(0.1, 0.6) * _noise(rng, size, tile_m, 2 * pitch_m, 8 * pitch_m)


def _periods(tile_m: float, pitch_m: float) -> int:
    return max(2, round(tile_m / pitch_m))


def _cells(rng: np.random.Generator, size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest of `count` random points in tile lengths, and which one it is."""
    points = np.zeros((size, size), np.int64)
    points[rng.integers(size, size=count), rng.integers(size, size=count)] = 1 + np.arange(count)
    margin = size // 2
    wrapped = np.pad(points, margin, mode="wrap")
    distance, nearest = cv2.distanceTransformWithLabels(
        (wrapped == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    own = np.zeros(nearest.max() + 1, np.int64)  # the copies of a point beyond the seam are it too
    own[nearest[wrapped > 0]] = wrapped[wrapped > 0]
    inside = slice(margin, margin + size)
    return distance[inside, inside] / size, own[nearest[inside, inside]]


def _soften(heights: np.ndarray, sigma_px: float) -> np.ndarray:
    """Round the edges; OpenCV's own wrapping is not made for columns."""
    wrapped = np.pad(heights, 16, mode="wrap")
    return cv2.GaussianBlur(wrapped, (0, 0), sigma_px)[16:-16, 16:-16]


def _turned(rng: np.random.Generator, heights: np.ndarray) -> np.ndarray:
    """The pattern along one axis of the tile or the other."""
    return heights.T if rng.random() < 0.5 else heights


def smooth(rng: np.random.Generator, size: int) -> Relief:
    """Polished or glazed: long, faint waves."""
    tile = rng.uniform(0.018, 0.022)
    return tile, _noise(rng, size, tile, rng.uniform(0.8e-3, 2e-3), 6e-3)


def orange_peel(rng: np.random.Generator, size: int) -> Relief:
    """Moulded or painted: rounded bumps without direction."""
    tile, bump = rng.uniform(0.018, 0.022), rng.uniform(0.25e-3, 0.7e-3)
    return tile, _noise(rng, size, tile, bump, 2.5 * bump)


def brushed(rng: np.random.Generator, size: int) -> Relief:
    """Long fine scratches in one direction."""
    tile, width = rng.uniform(0.018, 0.022), rng.uniform(0.06e-3, 0.2e-3)
    return tile, _turned(rng, _noise(rng, size, tile, width, 6 * width, rng.uniform(15, 60)))


def hammered(rng: np.random.Generator, size: int) -> Relief:
    """Overlapping round dents with ridges between them."""
    tile, dent = rng.uniform(0.020, 0.028), rng.uniform(2e-3, 4.5e-3)
    distance, _ = _cells(rng, size, round((tile / dent) ** 2))
    return tile, _soften(distance**2, 2.0)


def weave(rng: np.random.Generator, size: int) -> Relief:
    """Warp over weft: a plain weave, or a twill whose crossings climb from row to row."""
    tile, pitch = rng.uniform(0.016, 0.022), rng.uniform(0.5e-3, 1.3e-3)
    float_length = int(rng.choice([2, 2, 3, 4]))  # threads per repeat: plain, twill 2/1, 3/1
    threads = _periods(tile, pitch) // float_length * float_length
    bend = _bend(rng, size, tile, pitch)
    warp, weft = _waves(size, threads) + bend, _waves(size, 0, threads) - bend
    column, row = np.floor(warp / (2 * np.pi)), np.floor(weft / (2 * np.pi))
    over = (column + row) % float_length > 0
    round_warp, round_weft = np.abs(np.sin(warp / 2)), np.abs(np.sin(weft / 2))
    top = np.where(over, round_warp**0.6 + 0.5 * round_weft, round_weft**0.6 + 0.5 * round_warp)
    fibres = _noise(rng, size, tile, 0.05e-3, 0.15e-3)
    return tile, _soften(top, 1.5) + rng.uniform(0.02, 0.1) * fibres


def knit(rng: np.random.Generator, size: int) -> Relief:
    """Columns of V-shaped stitches."""
    tile, pitch = rng.uniform(0.018, 0.024), rng.uniform(1.4e-3, 2.6e-3)
    columns = _periods(tile, pitch)
    rows = _periods(tile, pitch * rng.uniform(0.6, 0.9))
    bend = _bend(rng, size, tile, pitch)
    side = _waves(size, columns) + bend
    leg = np.abs(np.sin(side)) ** 0.7
    slanted = np.cos(_waves(size, 0, rows) + 1.6 * np.abs(np.sin(side / 2)) * np.pi + bend)
    fuzz = _noise(rng, size, tile, 0.06e-3, 0.3e-3)
    return tile, leg * (1.3 + slanted) + rng.uniform(0.05, 0.15) * fuzz


def grain(rng: np.random.Generator, size: int) -> Relief:
    """Wood: pores and rings drawn out along one direction."""
    tile, width = rng.uniform(0.024, 0.036), rng.uniform(0.15e-3, 0.4e-3)
    pores = _noise(rng, size, tile, width, 4 * width, rng.uniform(8, 25))
    rings = np.sin(_waves(size, 0, _periods(tile, rng.uniform(2e-3, 5e-3))) + 2 * pores / 3)
    return tile, _turned(rng, np.minimum(pores, 0.3) + rng.uniform(0.2, 0.8) * rings)


def granular(rng: np.random.Generator, size: int) -> Relief:
    """Sand and grit: grains of like size, each with its own height."""
    tile, size_m = rng.uniform(0.014, 0.020), rng.uniform(0.2e-3, 0.8e-3)
    distance, label = _cells(rng, size, round((tile / size_m) ** 2))
    own = rng.uniform(0.3, 1.0, label.max() + 1)[label]
    round_top = np.maximum(1 - (distance * tile / (0.7 * size_m)) ** 2, 0)
    return tile, own * np.sqrt(round_top)


def rocky(rng: np.random.Generator, size: int) -> Relief:
    """Broken stone: rough at all lengths."""
    tile = rng.uniform(0.020, 0.028)
    octaves = [(0.08e-3 * 2**k, 2.0 ** (k * rng.uniform(0.7, 1.0))) for k in range(6)]
    layers = [gain * _noise(rng, size, tile, low, 3 * low) for low, gain in octaves]
    return tile, np.sum(layers, axis=0)


def porous(rng: np.random.Generator, size: int) -> Relief:
    """Round holes of mixed size in a flat face."""
    tile, hole = rng.uniform(0.018, 0.024), rng.uniform(0.4e-3, 1.2e-3)
    count = round((tile / hole) ** 2 * rng.uniform(0.25, 0.5))
    distance, label = _cells(rng, size, count)
    radius = rng.uniform(0.2, 0.75, label.max() + 1)[label] * hole / tile
    depth = np.clip(1 - (distance / radius) ** 2, 0, None)
    return tile, -np.sqrt(depth) + 0.05 * _noise(rng, size, tile, 0.08e-3, 0.4e-3)


def ribbed(rng: np.random.Generator, size: int) -> Relief:
    """Parallel ridges, from rounded to flat-topped."""
    tile, pitch = rng.uniform(0.018, 0.024), rng.uniform(0.9e-3, 3.5e-3)
    wave = np.sin(_waves(size, _periods(tile, pitch)) + 0.3 * _bend(rng, size, tile, pitch))
    return tile, _turned(rng, np.tanh(rng.uniform(0.5, 4.0) * wave))


def knurled(rng: np.random.Generator, size: int) -> Relief:
    """Two crossing sets of grooves that leave pointed diamonds."""
    tile, pitch = rng.uniform(0.016, 0.022), rng.uniform(0.8e-3, 1.8e-3)
    across = _periods(tile, pitch)
    along = max(1, round(across * rng.uniform(0.4, 1.0)))
    sides = [np.abs(np.sin(_waves(size, across, sign * along) / 2)) for sign in (1, -1)]
    return tile, np.minimum(*sides)


def pebbled(rng: np.random.Generator, size: int) -> Relief:
    """Leather: cushions parted by creases."""
    tile, cushion = rng.uniform(0.016, 0.022), rng.uniform(0.6e-3, 1.8e-3)
    _, label = _cells(rng, size, round((tile / cushion) ** 2))
    inside = (label == np.roll(label, 1, 0)) & (label == np.roll(label, 1, 1))
    margin = size // 8
    wrapped = np.pad(inside.astype(np.uint8), margin, mode="wrap")
    to_crease = cv2.distanceTransform(wrapped, cv2.DIST_L2, 5)[margin:-margin, margin:-margin]
    cushions = np.tanh(to_crease * tile / size / (0.2 * cushion))
    return tile, cushions + 0.08 * _noise(rng, size, tile, 0.06e-3, 0.3e-3)


def fibrous(rng: np.random.Generator, size: int) -> Relief:
    """Paper and felt: thin fibres thrown over each other."""
    tile, width = rng.uniform(0.014, 0.020), rng.uniform(0.06e-3, 0.14e-3)
    across = _noise(rng, size, tile, width, 4 * width, rng.uniform(4, 10))
    along = _noise(rng, size, tile, width, 4 * width, rng.uniform(4, 10)).T
    fuzz = _noise(rng, size, tile, width, 3 * width)
    return tile, np.maximum.reduce([across, along, fuzz, np.zeros_like(fuzz)])


def dimpled(rng: np.random.Generator, size: int) -> Relief:
    """A lattice of round studs or pits."""
    tile, pitch = rng.uniform(0.018, 0.024), rng.uniform(1.5e-3, 3.5e-3)
    count = _periods(tile, pitch)
    lattice = np.cos(_waves(size, count)) + np.cos(_waves(size, 0, count))
    studs = np.clip(lattice - rng.uniform(-0.3, 0.9), 0, None) ** 0.5
    return tile, studs * rng.choice([1, -1])


FAMILIES: dict[str, Callable[[np.random.Generator, int], Relief]] = {
    family.__name__: family
    for family in (
        smooth, orange_peel, brushed, hammered, weave, knit, grain, granular, rocky, porous,
        ribbed, knurled, pebbled, fibrous, dimpled,
    )
}  # fmt: skip
