"""What can go wrong with a camera or a gel, as functions of its images, for `ood_study.py`."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Corruption = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Of a clip `(T, H, W, 3) uint8`."""


def black(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """No light at all, with a little noise of the sensor in half of the cases."""
    deviation = rng.choice([0.0, 2.0])
    return _grey_noise(clip, 0.0, deviation, rng)


def dark_cover(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A lid: dark, nearly uniform, noisy."""
    return _grey_noise(clip, rng.uniform(5, 40), rng.uniform(2, 8), rng)


def blurred_cover(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A finger or dirt on the lens: nothing but a dim smear of colours."""
    width = clip.shape[2] * rng.uniform(0.15, 0.3)
    return np.stack(
        [_noisy(cv2.GaussianBlur(x, (0, 0), width) * rng.uniform(0.2, 0.6), 3, rng) for x in clip]
    )


def bright(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Far too long an exposure."""
    return _clipped(clip * rng.uniform(4, 8) + 60)


def one_colour(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every pixel has the clip's mean colour, as of a gel that came off, or a stuck driver."""
    return np.broadcast_to(_clipped(clip.mean((0, 1, 2))), clip.shape).copy()


def upside_down(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sensor was mounted the other way round."""
    return np.ascontiguousarray(clip[:, ::-1, ::-1])


def other_colours(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Red and blue exchanged: a wrong encoding, or other light."""
    return np.ascontiguousarray(clip[..., ::-1])


def worn(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A gel whose coating is gone in places: pale holes with soft edges."""
    height, width = clip.shape[1:3]
    holes = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(4, 9)):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(holes, centre, int(rng.uniform(0.04, 0.12) * width), 1.0, -1)
    share = cv2.GaussianBlur(holes, (0, 0), 2)[..., None]
    return _clipped(clip * (1 - share) + (0.5 * clip + 110) * share)


def scratched(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A gel with cuts, which are dark beside bright lines."""
    made = clip.copy()
    height, width = clip.shape[1:3]
    for _ in range(rng.integers(6, 13)):
        ends = rng.uniform(0, 1, (2, 2)) * (width, height)
        for shift, change in ((0, 60), (1.5, -60)):
            mask = np.zeros((height, width), np.uint8)
            first, last = (tuple(int(v) for v in end + shift) for end in ends)
            cv2.line(mask, first, last, 255, 1, cv2.LINE_AA)
            share = mask[..., None] / 255.0
            made = _clipped(made + change * share)
    return made


IMAGES: dict[str, Corruption] = {
    "black": black,
    "dark cover": dark_cover,
    "blurred cover": blurred_cover,
    "one colour": one_colour,
    "overexposed": bright,
    "upside down": upside_down,
    "red and blue exchanged": other_colours,
}
GELS: dict[str, Corruption] = {**IMAGES, "worn": worn, "scratched": scratched}


def _clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _noisy(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    return _clipped(image + rng.normal(0, deviation, image.shape))


def _grey_noise(
    clip: np.ndarray, level: float, deviation: float, rng: np.random.Generator
) -> np.ndarray:
    return _clipped(level + rng.normal(0, 1, clip.shape) * deviation)
