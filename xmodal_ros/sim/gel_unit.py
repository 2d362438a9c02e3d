"""Gel units: no two sensors of a kind look alike, and a model must not learn one of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.sim.optics import SENSORS


@dataclass(frozen=True)
class GelUnit:
    """One sensor with its gel; the defaults are the calibrated sensor itself, without markers."""

    id: str = setting("nominal", "name of the unit, by which units are held out")
    sensor: str = setting("gelsight_mini", "real sensor whose calibration it has", choices=SENSORS)
    gain: float = setting(1.0, "brightness", low=0.3, high=2.0)
    red: float = setting(1.0, "gain of red", low=0.5, high=1.5)
    green: float = setting(1.0, "gain of green", low=0.5, high=1.5)
    blue: float = setting(1.0, "gain of blue", low=0.5, high=1.5)
    saturation: float = setting(1.0, "strength of colours", low=0.0, high=1.5)
    led_angle_deg: float = setting(
        0.0, "how far the ring of LEDs is turned", unit="deg", low=-180.0, high=180.0
    )
    tilt_right: float = setting(
        0.0, "how much brighter the right edge is than the left", low=-1.0, high=1.0
    )
    tilt_up: float = setting(
        0.0, "brighter to the top, share across the image", low=-1.0, high=1.0
    )
    softness: float = setting(1.0, "blur of fine relief by the skin", low=0.5, high=3.0)
    wear: float = setting(0.0, "scratches and spots, 0 none, 1 many", low=0.0, high=1.0)
    noise: float = setting(0.0, "standard deviation of a pixel's noise", low=0.0, high=20.0)
    marker_pitch_mm: float = setting(
        0.0, "distance of the markers, 0 for none", unit="mm", low=0.0, high=5.0
    )
    marker_radius_mm: float = setting(0.3, "radius of a marker", unit="mm", low=0.1, high=1.0)
    marker_angle_deg: float = setting(
        0.0, "turn of the markers' grid", unit="deg", low=-45.0, high=45.0
    )
    seed: int = setting(0, "draws scratches and the irregularity of markers", low=0)

    def __post_init__(self) -> None:
        validate(self, "gel")

    def colours(self) -> np.ndarray:
        """Matrix `(3, 3)` from the calibrated RGB to this unit's."""
        grey = np.full((3, 3), 1 / 3)
        mix = grey + self.saturation * (np.eye(3) - grey)
        return self.gain * np.diag([self.red, self.green, self.blue]) @ mix

    def tint(self, image: np.ndarray) -> np.ndarray:
        """The image `(rows, columns, 3)` with this unit's uneven light."""
        rows, columns = image.shape[:2]
        right = np.linspace(-0.5, 0.5, columns)[None, :, None]
        up = np.linspace(0.5, -0.5, rows)[:, None, None]
        return image * (1 + self.tilt_right * right + self.tilt_up * up)


def draw_unit(rng: np.random.Generator) -> GelUnit:
    """Draw a unit: sensor, light, gel, markers (three of four units have some) and noise."""
    seed = int(rng.integers(2**32))
    return GelUnit(
        id=f"gel-{seed:08x}",
        sensor=str(rng.choice(SENSORS)),
        gain=rng.uniform(0.75, 1.15),
        red=rng.uniform(0.85, 1.15),
        green=rng.uniform(0.85, 1.15),
        blue=rng.uniform(0.85, 1.15),
        saturation=rng.uniform(0.7, 1.3),
        led_angle_deg=rng.uniform(-15, 15),
        tilt_right=rng.uniform(-0.2, 0.2),
        tilt_up=rng.uniform(-0.2, 0.2),
        softness=rng.uniform(0.7, 1.5),
        wear=rng.uniform(0, 1) ** 2,
        noise=rng.uniform(0.8, 2.5),
        marker_pitch_mm=rng.uniform(1.3, 2.4) if rng.random() < 0.75 else 0.0,
        marker_radius_mm=rng.uniform(0.2, 0.4),
        marker_angle_deg=rng.uniform(-4, 4),
        seed=seed,
    )


def skin(unit: GelUnit, shape: tuple[int, int], pixel_m: float) -> np.ndarray:
    """Brightness `(H, W) float32` that markers and wear leave of the gel's own, undeformed."""
    rng = np.random.default_rng(unit.seed)
    made = np.full(shape, 255, np.uint8)
    _scratch(made, unit.wear, rng)
    if unit.marker_pitch_mm:
        _mark(made, unit, pixel_m * 1e3, rng)
    return cv2.GaussianBlur(made.astype(np.float32) / 255, (0, 0), 0.9)


def _scratch(image: np.ndarray, wear: float, rng: np.random.Generator) -> None:
    rows, columns = image.shape
    for _ in range(rng.poisson(6 * wear)):
        x, y = rng.uniform((0, 0), (columns, rows))
        length, angle = rng.uniform(0.02, 0.2) * columns, rng.uniform(0, 2 * np.pi)
        end = (int(x + length * np.cos(angle)), int(y + length * np.sin(angle)))
        cv2.line(image, (int(x), int(y)), end, int(rng.uniform(215, 245)), 1, cv2.LINE_AA)
    for _ in range(rng.poisson(10 * wear)):
        spot = (int(rng.integers(columns)), int(rng.integers(rows)))
        radius, dark = int(rng.integers(1, 3)), int(rng.uniform(150, 235))
        cv2.circle(image, spot, radius, dark, -1, cv2.LINE_AA)


def _mark(image: np.ndarray, unit: GelUnit, pixel_mm: float, rng: np.random.Generator) -> None:
    """Draw the dots: a grid, a little irregular, as dots set by hand or laser are."""
    rows, columns = image.shape
    pitch = unit.marker_pitch_mm / pixel_mm
    turn = np.radians(unit.marker_angle_deg)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    offset = rng.uniform(0, pitch, 2)
    half = int(np.hypot(rows, columns) / pitch / 2) + 2
    for i in range(-half, half + 1):
        for j in range(-half, half + 1):
            place = axes @ (np.array([i, j]) * pitch + offset) + (columns / 2, rows / 2)
            place += rng.normal(0, 0.04 * pitch, 2)
            radius = unit.marker_radius_mm / pixel_mm * rng.uniform(0.85, 1.15, 2)
            dark = int(rng.uniform(25, 60))
            box = (place.tolist(), (2 * radius).tolist(), rng.uniform(0, 180))
            cv2.ellipse(image, box, dark, -1, cv2.LINE_AA)
