"""Renders what the camera behind a gel sees, from how deep something presses into it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from xmodal_ros.sim.gel_unit import GelUnit, skin
from xmodal_ros.sim.optics import GRID, calibration

_COARSE = 8
"""The skin's motion is smooth: it is computed on every 8th pixel."""
_REACH_M = 1.5e-3
"""How far beside the contact the skin is dragged along: half the gel's thickness."""
_CHUNK = 4096
"""Pixels looked up at a time: few enough for the processor's cache."""
_BANK = 2
"""The bank of noise is this many images high and wide."""
_BULGE = 0.3
"""Sideways motion of the skin per slope and thickness of the gel: our choice."""


@dataclass(frozen=True, eq=False)
class GelFrame:
    """One gel image and where it shows contact."""

    image: np.ndarray
    """`(H, W, 3) uint8` RGB."""
    contact: np.ndarray
    """`(H, W) bool`."""


class Renderer:
    """Renders the images of one gel unit.

    Where something touches, the skin has its slopes; around it the gel bends as in taxim, by a
    pyramid of blurs. (Taxim lets it follow only the deeper part of a contact, which blurs the rim
    of a ball more than photos do.) Colour is the background plus the calibrated answer to the
    slope, less the answer to no slope, so that an untouched gel shows the background itself.
    Taxim's shadows are left out.
    """

    def __init__(self, unit: GelUnit, shape: tuple[int, int] = (240, 320)) -> None:
        self.unit, self.shape = unit, shape
        known = self._known = calibration(unit.sensor)
        rows, columns = shape
        self._fine_px = unit.softness * known.final_sigma * columns
        self._pixel_m = known.pixel_m * known.background.shape[1] / columns
        colours = unit.colours()
        size = (columns, rows)
        background = cv2.resize(known.background, size, interpolation=cv2.INTER_AREA)
        self._background = np.ascontiguousarray(unit.tint(background @ colours.T), np.float32)
        middle = GRID // 2
        self._flat = middle * GRID + middle  # entry of no slope
        response = (known.response - known.response[:, middle, middle, None, None]) @ colours.T
        # (slope, RGB, monomial), so that all a pixel needs lies together
        self._response = np.ascontiguousarray(response.transpose(1, 2, 3, 0), np.float32)
        self._response = self._response.reshape(GRID * GRID, 3, 6)
        self._monomials = _monomials(shape, known.background.shape[:2], known.low, known.high)
        self._skin = skin(unit, shape, self._pixel_m)
        x, y = np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
        self._grid = np.dstack(np.meshgrid(x, y))
        self._reference = self._background * self._skin[..., None]
        bank = (_BANK * rows, _BANK * columns, 3)
        self._noise = np.random.default_rng(unit.seed).standard_normal(bank, np.float32)
        self._noise *= unit.noise

    def reference(self) -> np.ndarray:
        """The no-contact image `(H, W, 3) uint8` without noise."""
        return _image(self._reference)

    def idle(self, rng: np.random.Generator) -> GelFrame:
        """A frame with nothing touching: the reference under fresh noise."""
        return GelFrame(self._noisy(self._reference, rng), np.zeros(self.shape, bool))

    def render(
        self, height_field: np.ndarray, shear: np.ndarray, rng: np.random.Generator
    ) -> GelFrame:
        """Render one frame.

        Args:
            height_field: `(H, W)` penetration in m, 0 where nothing touches.
            shear: `(2,)` m, how far the skin in contact is dragged to the right and up.
            rng: Of the sensor's noise.
        """
        contact = height_field > 0
        if not contact.any():
            return self.idle(rng)
        pressed = np.asarray(height_field, np.float32)
        bent = self._bend(pressed)
        image = self._background + self._change(*self._slopes(pressed, bent, contact))
        image *= self._moved_skin(contact, bent, shear)[..., None]
        return GelFrame(self._noisy(image, rng), contact)

    def _bend(self, pressed: np.ndarray) -> np.ndarray:
        """Taxim's deformation of the gel `(H, W)` in m under a penetration."""
        known, width = self._known, self.shape[1]
        tight = (pressed > known.contact_scale * pressed.max()).astype(np.uint8)
        surface = pressed
        for sigma in known.deform_sigmas:
            surface = _blur(surface, sigma * width)
            cv2.copyTo(pressed, tight, surface)
        return _blur(surface, self._fine_px)

    def _slopes(
        self, pressed: np.ndarray, bent: np.ndarray, contact: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slopes of the skin to the right and down `(H, W)`, positive where it gets deeper."""
        share = _blur(contact.astype(np.float32), self._fine_px)
        exact = _blur(pressed, self._fine_px)
        right, down = (
            share * _slope(exact, axis, self._pixel_m)
            + (1 - share) * _slope(bent, axis, self._pixel_m)
            for axis in (0, 1)
        )
        return right, down

    def _change(self, right: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Change of RGB `(H, W, 3) float32` by the skin's slopes."""
        steep = cv2.magnitude(right, down)
        to_grid = np.arctan(steep) / np.maximum(steep, 1e-9) * np.float32((GRID - 1) / np.pi)
        turn = np.radians(self.unit.led_angle_deg)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        column = np.rint((cos * right + sin * down) * to_grid)
        row = np.rint((cos * down - sin * right) * to_grid)
        entry = (row * GRID + column).astype(np.int32).reshape(-1) + self._flat
        change = np.empty((len(entry), 3), np.float32)
        for start in range(0, len(entry), _CHUNK):
            part = slice(start, start + _CHUNK)
            polynomials = self._response[entry[part]]
            np.einsum("nck,nk->nc", polynomials, self._monomials[part], out=change[part])
        return change.reshape(*self.shape, 3)

    def _moved_skin(self, contact: np.ndarray, bent: np.ndarray, shear: np.ndarray) -> np.ndarray:
        """Brightness of the skin, with markers and scratches where they have been dragged to.

        The skin sticks to what it touches and follows it less and less beside it; pressing
        pushes it outwards.
        """
        coarse = (-(-self.shape[1] // _COARSE), -(-self.shape[0] // _COARSE))
        reach = _REACH_M / self._pixel_m / _COARSE
        held = cv2.resize(contact.astype(np.float32), coarse, interpolation=cv2.INTER_AREA)
        held = _blur(held, reach)
        held = held / held.max()
        dent = _blur(cv2.resize(bent, coarse, interpolation=cv2.INTER_AREA), reach)
        push = _BULGE * 2 * _REACH_M / (self._pixel_m * _COARSE) / self._pixel_m
        dragged = np.asarray(shear, np.float32) / np.float32(self._pixel_m)
        right = held * dragged[0] - push * cv2.Sobel(dent, -1, 1, 0, scale=0.125)
        down = -held * dragged[1] - push * cv2.Sobel(dent, -1, 0, 1, scale=0.125)
        motion = cv2.resize(np.dstack([right, down]), self.shape[::-1])
        x, y = cv2.split(self._grid - motion)
        return cv2.remap(self._skin, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    def _noisy(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """With noise from a random place of the bank: drawing it anew takes 3 ms."""
        rows, columns = self.shape
        top, left = rng.integers((_BANK - 1) * rows), rng.integers((_BANK - 1) * columns)
        return _image(cv2.add(image, self._noise[top : top + rows, left : left + columns]))


def _image(values: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(np.maximum(values, 0))


def _slope(heights: np.ndarray, axis: int, pixel_m: float) -> np.ndarray:
    """Slope to the right (axis 0) or down (axis 1)."""
    return cv2.Sobel(heights, cv2.CV_32F, 1 - axis, axis, ksize=1, scale=0.5 / pixel_m)


def _blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; a wide one is made on a smaller image, which it does not change visibly."""
    if sigma < 6:
        return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    small = cv2.resize(values, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / 4, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, values.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _monomials(
    shape: tuple[int, int], full: tuple[int, int], low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """x², y², xy, x, y, 1 of each pixel `(H * W, 6)`, in the calibration's pixels.

    Places outside the ones that were calibrated take the nearest that was: the polynomials say
    nothing there. (The presses of the GelSight Mini are all near the middle.)
    """
    x = np.clip(np.arange(shape[1]) * (full[1] / shape[1]), low[0], high[0])
    y = np.clip(np.arange(shape[0]) * (full[0] / shape[0]), low[1], high[1])
    x, y = (a.reshape(-1) for a in np.meshgrid(x, y))
    return np.stack([x * x, y * y, x * y, x, y, np.ones_like(x)], axis=1).astype(np.float32)
