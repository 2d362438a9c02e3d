"""Random views of camera and gel images for contrastive learning, on 8-bit images.

Crops, sizes and blurs are OpenCV's, and all changes of colour one affine map of RGB. On a CPU
that is faster than the same on batches of float tensors, and takes a quarter of the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from xmodal_ros.runtime.preprocess import resize_image
from xmodal_ros.train.pretrain.lights import symmetries
from xmodal_ros.train.pretrain.settings import CameraViews, TactileViews

View = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From an image (H, W, 3) uint8 RGB to a random view (height, width, 3) uint8 of it."""

GREY = np.array([0.299, 0.587, 0.114])
"""Brightness of red, green and blue (ITU-R BT.601)."""
CAMERA_STRETCH, TACTILE_STRETCH = 4 / 3, 10 / 9
"""Largest change of aspect ratio. Stretching a gel image changes the slopes it shows."""
BLUR = 0.01
"""Largest sigma of a blur, of the height."""


def camera_view(settings: CameraViews, height: int, width: int) -> View:
    """SimCLR's view (arXiv 2002.05709, appendix A): crop, mirror, colours, grey, blur.

    Brightness, saturation, hue and contrast are applied in this order, and clipped once at the
    end; hue is turned in the plane of YIQ's two colour axes.
    """

    def view(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        x = _crop(image, settings.crop_area, CAMERA_STRETCH, height, width, rng)
        if rng.random() < settings.flip:
            x = cv2.flip(x, 1)
        matrix, contrast = np.eye(3), 1.0
        if rng.random() < settings.jitter:
            matrix = _turn_hue(settings.hue * rng.uniform(-1, 1)) @ _saturate(
                1 + settings.saturation * rng.uniform(-1, 1)
            )
            matrix *= 1 + settings.brightness * rng.uniform(-1, 1)
            contrast = 1 + settings.contrast * rng.uniform(-1, 1)
        if rng.random() < settings.grey:
            matrix = _saturate(0.0) @ matrix
        return _blurred(_coloured(x, matrix, contrast), settings.blur, rng)

    return view


def tactile_view(settings: TactileViews, height: int, width: int) -> View:
    """View of a gel image, that leaves in place which colour comes from which side.

    No turn of hue, no grey, no change of saturation: a slope's direction is read from the ratio
    of the channels. What differs between units of one sensor is varied: the strength of each
    colour's LEDs, all of them together, sharpness. Images are mirrored only where the lights
    allow it, and then the channels change places (`lights.symmetries`). Crops are large and
    barely stretched, so that a contact stays in view and its slopes stay as steep.
    """
    mirrorings = symmetries(settings.lights)

    def view(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        x = _crop(image, settings.crop_area, TACTILE_STRETCH, height, width, rng)
        chosen = mirrorings[rng.integers(len(mirrorings))]
        if chosen.left_right:
            x = cv2.flip(x, 1)
        if chosen.up_down:
            x = cv2.flip(x, 0)
        gains = 1 + settings.gain * rng.uniform(-1, 1, 3)
        gains *= 1 + settings.brightness * rng.uniform(-1, 1)
        matrix = gains[:, None] * np.eye(3)[list(chosen.channels)]
        return _blurred(_coloured(x, matrix, 1.0), settings.blur, rng)

    return view


def _crop(
    image: np.ndarray,
    area: float,
    stretch: float,
    height: int,
    width: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """A random part of at least `area`, of the image's own aspect ratio but for `stretch`."""
    share = rng.uniform(area, 1.0)
    most = min(math.log(stretch), -math.log(share))  # so that the part fits into the image
    ratio = math.exp(rng.uniform(-1, 1) * most)
    rows = max(1, round(image.shape[0] * math.sqrt(share / ratio)))
    columns = max(1, round(image.shape[1] * math.sqrt(share * ratio)))
    top = rng.integers(image.shape[0] - rows + 1)
    left = rng.integers(image.shape[1] - columns + 1)
    return resize_image(image[top : top + rows, left : left + columns], height, width)


def _coloured(image: np.ndarray, matrix: np.ndarray, contrast: float) -> np.ndarray:
    """Map colours by a matrix, then move them towards the mean brightness; clips."""
    if contrast == 1.0 and np.array_equal(matrix, np.eye(3)):
        return image
    mean = GREY @ matrix @ np.array(cv2.mean(image)[:3])
    offset = np.full((3, 1), (1 - contrast) * mean)
    return cv2.transform(image, np.hstack([contrast * matrix, offset]))


def _saturate(by: float) -> np.ndarray:
    """Matrix (3, 3) that moves colours from their grey; 0 leaves grey."""
    return by * np.eye(3) + (1 - by) * np.tile(GREY, (3, 1))


_YIQ = np.array([GREY, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_RGB = np.linalg.inv(_YIQ)


def _turn_hue(by: float) -> np.ndarray:
    """Matrix (3, 3) that turns hue by a share of the whole circle."""
    cos, sin = math.cos(2 * math.pi * by), math.sin(2 * math.pi * by)
    return _RGB @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ _YIQ


def _blurred(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    if rng.random() >= share:
        return image
    sigma = rng.uniform(0.1, max(0.2, BLUR * len(image)))
    return cv2.GaussianBlur(image, (0, 0), sigma)
