"""The no-contact image of a tactile sensor, from frames where nothing moves and nothing touches.

Contact bends the gel, and the coloured lights draw the slopes as relief on top of smooth
illumination. So every short window of still frames is scored by its relief, which is what a cubic
polynomial over the image leaves of the colours beside the markers, and the median of the flattest
window so far is the reference. It is replaced only by a clearly flatter one, so what a model
computed from it stays valid for long.

What this cannot know: whether a sensor that has only ever been in contact is in contact (its
flattest frames are then the reference, and the first still moment without contact replaces them);
contact with something so flat and even that it leaves no relief; and a gel that was exchanged or
damaged (`reset` starts again).

The method is our own. Its thresholds were set on GelSight Mini clips, where the relief of an
unchanged gel stays within a tenth through video compression, and a grip multiplies it by up to 80.
"""

from __future__ import annotations

import numpy as np

GRID_PX = 64
"""Frames are judged on every n-th pixel, about this many along the width."""
WINDOW = 5
"""Frames that must be still for a candidate."""
STILL = 0.03
"""Largest mean change within a still window, relative to the mean brightness."""
UNCHANGED = 0.01
"""A window that differs less from the one judged last is not judged again."""
FLATTER = 0.9
"""A candidate must have less than this share of the best relief so far."""
MARKER = 0.75
"""Pixels darker than this share of the median brightness are markers."""
DEGREE = 3


class ReferenceEstimator:
    """Estimates the no-contact image frame by frame, causally and deterministically.

    `image` is `(H, W, 3) uint8`, None until a first still window; `id` changes whenever it does.
    """

    def __init__(self) -> None:
        self.image: np.ndarray | None = None
        self.id = 0
        self._relief = np.inf
        self._frames: list[np.ndarray] = []  # of the window that is being filled
        self._begin = self._judged = np.empty(0, np.float32)  # first frame of it, last one judged
        self._basis = np.empty((0, 0, 0), np.float32)

    def add(self, frame: np.ndarray) -> None:
        """Take the next frame `(H, W, 3) uint8`; another size than before starts again."""
        if self.image is not None and frame.shape != self.image.shape:
            self.reset()
        step = max(round(frame.shape[1] / GRID_PX), 1)
        glance = frame[:: 2 * step, :: 2 * step].astype(np.float32)
        if self._frames and (
            frame.shape != self._frames[0].shape or _change(self._begin, glance) > STILL
        ):
            self._frames.clear()
        if not self._frames:
            self._begin = glance
        self._frames.append(frame)
        if len(self._frames) == WINDOW:
            if _change(self._judged, glance) > UNCHANGED:
                self._judge(np.atleast_3d(frame)[::step, ::step].astype(np.float32))
                self._judged = glance
            self._frames.clear()

    def reset(self) -> None:
        """Forget the reference and start again."""
        self.image, self._relief = None, np.inf
        self.id += 1
        self._frames.clear()
        self._judged = np.empty(0, np.float32)

    def _judge(self, grid: np.ndarray) -> None:
        if self._basis.shape[1:] != grid.shape[:2]:
            self._basis = _polynomials(*grid.shape[:2])
        relief = _relief(grid, self._basis)
        if relief < FLATTER * self._relief:
            first, middle, last = (self._frames[i] for i in (0, WINDOW // 2, WINDOW - 1))
            low, high = np.minimum(first, middle), np.maximum(first, middle)
            self.image = np.maximum(low, np.minimum(high, last))  # median of three
            self.image.flags.writeable = False
            self._relief = relief
            self.id += 1


def _change(before: np.ndarray, now: np.ndarray) -> float:
    """Mean change relative to the mean brightness; infinite for another size or a black image."""
    mean = float(now.mean())
    if before.shape != now.shape or mean == 0:
        return np.inf
    change: float = float(np.abs(now - before).mean()) / mean
    return change


def _polynomials(height: int, width: int) -> np.ndarray:
    """All products of powers of x and y up to `DEGREE`, `(terms, height, width) float32`."""
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    return np.stack([x**i * y**j for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)])


def _relief(grid: np.ndarray, basis: np.ndarray) -> float:
    """Mean square that the polynomials leave beside the markers, at mean brightness 1."""
    channels = grid.shape[2]
    brightness = grid @ np.full(channels, 1 / channels, np.float32)
    mean = float(brightness.mean())
    dark = np.pad(brightness < MARKER * np.median(brightness), 1)
    # The neighbours of a marker are partly marker.
    marker = dark[1:-1, 1:-1] | dark[2:, 1:-1] | dark[:-2, 1:-1] | dark[1:-1, 2:] | dark[1:-1, :-2]
    beside = (~marker).astype(np.float32).reshape(-1)  # (P,)
    pixels = int(beside.sum())
    if mean == 0 or pixels < len(basis):
        return np.inf  # a black or almost black frame says nothing
    terms = basis.reshape(len(basis), -1) * beside  # (terms, P)
    colours = np.ascontiguousarray(grid.reshape(-1, channels).T) * (beside / mean)  # (3, P)
    fit = np.linalg.lstsq(terms @ terms.T, terms @ colours.T, rcond=None)[0]  # (terms, 3)
    rest = colours - fit.T @ terms
    relief: float = np.vdot(rest, rest) / (pixels * channels)
    return relief
