"""What the things in the cell are made of: a catalogue of materials, and surfaces drawn from it.

Numbers are typical values of engineering handbooks, rounded; ranges are what instances vary by.
Friction is that of the dry material on the silicone of a gel.
"""

from __future__ import annotations

import zlib

import cv2
import numpy as np

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.relief import FAMILIES
from xmodal_ros.sim.surface import Colours, Material, Range, Surface

TILE_PX = 512
"""Side of the maps of a surface; one texel is 0.03 to 0.07 mm, a gel's pixel is 0.06 mm."""


def _material(
    name: str,
    relief: str,
    roughness_um: Range,
    hardness: float,
    density: float,
    friction: Range,
    reflectivity: Range,
    shine: tuple[Range, Range],
    colours: Colours = (),
    contrast: float = 0.25,
    accent: float = 0.0,
) -> Material:
    roughness_m = (roughness_um[0] * 1e-6, roughness_um[1] * 1e-6)
    specular, gloss = shine
    return Material(
        name, relief, roughness_m, hardness, density, friction, reflectivity, specular, gloss,
        colours, contrast, accent,
    )  # fmt: skip


MIRROR = ((0.5, 0.8), (0.7, 0.95))
SATIN = ((0.2, 0.4), (0.35, 0.6))
DULL = ((0.0, 0.06), (0.05, 0.2))

STEEL, BRASS, COPPER = (0.45, 0.45, 0.44), (0.55, 0.42, 0.16), (0.60, 0.30, 0.20)
PALE_WOOD, DARK_WOOD = (0.50, 0.32, 0.16), (0.18, 0.09, 0.04)
SAND, GREY, LIMESTONE = (0.45, 0.34, 0.20), (0.22, 0.22, 0.22), (0.48, 0.44, 0.36)
BLACK, WHITE, KRAFT = (0.02, 0.02, 0.02), (0.75, 0.75, 0.72), (0.38, 0.25, 0.13)
TAN, BROWN, INDIGO, SILVER = (0.35, 0.18, 0.07), (0.12, 0.05, 0.02), (0.03, 0.06, 0.18), (0.6,) * 3
YELLOW, CORK = (0.75, 0.55, 0.08), (0.42, 0.25, 0.11)

CATALOGUE: dict[str, Material] = {
    material.name: material
    for material in (
        # name, relief, Ra in µm, log10 E, kg/m³, friction, LiDAR, shine, colours, contrast, accent
        _material("glass", "smooth", (0.2, 1), 10.8, 2500, (0.5, 1.0), (0.05, 0.2), MIRROR,
                  ((0.30, 0.42, 0.36), (0.5, 0.5, 0.52), (0.12, 0.25, 0.12)), 0.02),
        _material("glazed_ceramic", "smooth", (1, 4), 10.9, 2400, (0.45, 0.9), (0.4, 0.8), MIRROR,
                  (), 0.04),
        _material("moulded_plastic", "orange_peel", (4, 14), 9.4, 1100, (0.4, 0.8), (0.2, 0.8),
                  SATIN, (), 0.1),
        _material("brushed_steel", "brushed", (3, 10), 11.3, 7800, (0.25, 0.5), (0.4, 0.8),
                  ((0.4, 0.6), (0.4, 0.7)), (STEEL, BRASS), 0.3),
        _material("hammered_metal", "hammered", (35, 90), 11.0, 8500, (0.25, 0.5), (0.4, 0.8),
                  MIRROR, (COPPER, BRASS, STEEL), 0.15),
        _material("knurled_metal", "knurled", (40, 90), 10.9, 2700, (0.5, 0.9), (0.3, 0.7), SATIN,
                  (STEEL, SILVER, GREY), 0.4),
        _material("cotton", "weave", (25, 55), 7.0, 500, (0.4, 0.8), (0.4, 0.9), DULL, (),
                  0.5, 0.5),
        _material("denim", "weave", (45, 85), 7.4, 700, (0.4, 0.8), (0.2, 0.5), DULL,
                  (INDIGO, BLACK, (0.10, 0.16, 0.30)), 0.5, 0.6),
        _material("knitwear", "knit", (90, 180), 5.9, 250, (0.4, 0.8), (0.3, 0.8), DULL, (), 0.6),
        _material("felt", "fibrous", (30, 70), 6.1, 300, (0.4, 0.7), (0.3, 0.8), DULL, (), 0.3),
        _material("wood", "grain", (12, 40), 10.0, 650, (0.4, 0.7), (0.3, 0.6),
                  ((0.02, 0.15), (0.1, 0.4)), (PALE_WOOD, DARK_WOOD, TAN), 0.4, 0.3),
        _material("cork", "porous", (40, 90), 7.3, 240, (0.6, 1.0), (0.3, 0.5), DULL, (CORK,),
                  0.7, 0.3),
        _material("sponge", "porous", (140, 280), 5.1, 60, (0.6, 1.1), (0.4, 0.8), DULL,
                  (YELLOW, (0.1, 0.35, 0.2), (0.1, 0.2, 0.5)), 0.7),
        _material("sandpaper", "granular", (35, 95), 9.8, 1500, (0.8, 1.3), (0.1, 0.4), DULL,
                  (SAND, GREY, (0.2, 0.08, 0.05)), 0.4, 0.5),
        _material("stone", "rocky", (35, 110), 10.7, 2600, (0.5, 0.9), (0.2, 0.6), DULL,
                  (LIMESTONE, GREY, (0.3, 0.2, 0.16)), 0.3, 0.4),
        _material("ribbed_rubber", "ribbed", (70, 180), 6.6, 1200, (0.8, 1.3), (0.02, 0.1),
                  ((0.02, 0.1), (0.1, 0.3)), (BLACK, GREY, (0.3, 0.02, 0.02)), 0.3),
        _material("studded_silicone", "dimpled", (60, 150), 6.2, 1150, (0.8, 1.3), (0.3, 0.7),
                  ((0.05, 0.2), (0.2, 0.4)), (), 0.2),
        _material("cardboard", "ribbed", (15, 35), 8.6, 200, (0.4, 0.7), (0.3, 0.6), DULL,
                  (KRAFT, (0.3, 0.2, 0.11)), 0.15),
        _material("leather", "pebbled", (20, 55), 7.9, 900, (0.5, 0.9), (0.1, 0.5),
                  ((0.05, 0.25), (0.15, 0.4)), (TAN, BROWN, BLACK), 0.6),
        _material("paper", "fibrous", (6, 16), 9.3, 800, (0.4, 0.7), (0.6, 0.9), DULL,
                  (WHITE, (0.7, 0.65, 0.5)), 0.1),
    )
}  # fmt: skip


def draw(name: str, rng: np.random.Generator) -> Surface:
    """Draw a new surface of a material.

    Raises:
        SettingsError: there is no material of that name.
    """
    return from_id(f"{name}-{rng.integers(2**32):08x}")


def from_id(texture_id: str) -> Surface:
    """Make the surface of a texture id anew: "denim-1a2b3c4d" is always the same cloth.

    Raises:
        SettingsError: no such material, or what follows its name is no number.
    """
    name, _, number = texture_id.rpartition("-")
    if name not in CATALOGUE:
        raise SettingsError(
            f"unknown material '{name or texture_id}'",
            where="material",
            expected="one of " + ", ".join(CATALOGUE),
        )
    try:
        seed = int(number, 16)
    except ValueError:
        raise SettingsError(
            f"got '{texture_id}'", where="texture id", expected="<material>-<hexadecimal number>"
        ) from None
    return _make(
        CATALOGUE[name], texture_id, np.random.default_rng([seed, zlib.crc32(name.encode())])
    )


def _make(material: Material, texture_id: str, rng: np.random.Generator) -> Surface:
    tile_m, relief = FAMILIES[material.relief](rng, TILE_PX)
    relief = relief - relief.mean()
    roughness_m = _log_uniform(rng, material.roughness_m)
    height = (relief * (roughness_m / np.abs(relief).mean())).astype(np.float32)
    return Surface(
        material=material,
        texture_id=texture_id,
        tile_m=float(tile_m),
        height=height,
        albedo=_albedo(material, height, rng),
        friction=rng.uniform(*material.friction),
        density=material.density * rng.uniform(0.9, 1.1),
        specular=rng.uniform(*material.specular),
        gloss=rng.uniform(*material.gloss),
        reflectivity=rng.uniform(*material.reflectivity),
        hardness=material.hardness + rng.uniform(-0.1, 0.1),
        roughness_m=roughness_m,
    )


def _log_uniform(rng: np.random.Generator, limits: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _albedo(material: Material, height: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colour that follows the relief: darker in its depth, a second colour on its top."""
    base, second = _colour(material, rng), _colour(material, rng)
    low, high = np.percentile(height, (2, 98))
    level = np.clip((height - low) / (high - low), 0, 1)[..., None]
    share = material.accent * rng.uniform(0.3, 1.0) * level
    albedo = (base * (1 - share) + second * share) * (1 - material.contrast * (1 - level))
    blotches = rng.standard_normal((TILE_PX // 64, TILE_PX // 64)).astype(np.float32)
    wrapped = cv2.resize(np.pad(blotches, 1, mode="wrap"), None, fx=64, fy=64)[64:-64, 64:-64]
    return np.clip(albedo * (1 + 0.06 * wrapped[..., None]), 0, 1).astype(np.float32)


def _colour(material: Material, rng: np.random.Generator) -> np.ndarray:
    if not material.colours:
        bright, vivid = rng.uniform(0.04, 0.8), rng.uniform(0.0, 0.9)
        return bright * (1 - vivid * rng.dirichlet([1.0, 1.0, 1.0]))
    near = np.array(material.colours[rng.integers(len(material.colours))])
    return np.clip(near * rng.uniform(0.75, 1.3) * rng.uniform(0.92, 1.08, 3), 0.01, 0.9)
