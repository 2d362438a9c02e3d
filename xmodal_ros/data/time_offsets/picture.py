"""The picture of a calibration: of each stream its motion beside the reference's, and the peak."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.time_offsets.compare import Comparison
from xmodal_ros.data.time_offsets.estimate import Found, Offset

ROW, HEAD, GAP = 130, 26, 16
"""Pixels: height of a stream's row, of its heading, and between what is drawn."""
WIDE, NARROW = 640, 280
"""Pixels: width of the motion and of the curve."""
INK, STREAM, REFERENCE, BEFORE = (60, 60, 60), (44, 111, 187), (209, 73, 91), (200, 200, 200)
"""RGB."""
FINER = 8
"""Parts of a pixel that lines are drawn to, as a power of two."""


def save_picture(found: Found, path: Path) -> None:
    """Write the picture as PNG.

    Raises:
        DataError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written, data = cv2.imencode(".png", draw(found)[..., ::-1])
    try:
        path.write_bytes(data.tobytes() if written else b"")
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror})", where=str(path)) from error


def draw(found: Found) -> np.ndarray:
    """The picture, a row for each stream that was compared. Shape: (H, W, 3) uint8 RGB."""
    compared = [(o, o.comparison) for o in found.offsets if o.comparison]
    height, width = max(1, len(compared)) * (ROW + HEAD) + GAP, WIDE + NARROW + 3 * GAP
    picture = np.full((height, width, 3), 255, np.uint8)
    for number, (offset, comparison) in enumerate(compared):
        top = number * (ROW + HEAD)
        _heading(picture, top, offset, found)
        motion = picture[top + HEAD : top + HEAD + ROW, GAP : GAP + WIDE]
        curve = picture[top + HEAD : top + HEAD + ROW, -NARROW - GAP : -GAP]
        _motion(motion, comparison)
        _curve(curve, comparison)
    return picture


def _heading(picture: np.ndarray, top: int, offset: Offset, found: Found) -> None:
    if offset.why:
        told = "unknown"
    elif offset.stream == found.anchor:
        told = "the anchor"
    else:
        told = f"offset {1e3 * (offset.seconds or 0):+.1f} +- {1e3 * offset.spread_s:.1f} ms"
    _text(picture, (GAP, top + 18), f"{offset.stream}: {told}", INK)
    names = ((offset.stream, STREAM), (found.reference, REFERENCE), ("before", BEFORE))
    for place, (name, colour) in enumerate(names):
        _text(picture, (GAP + WIDE - 330 + 110 * place, top + 18), name, colour)
    _text(picture, (2 * GAP + WIDE, top + 18), "information by lag, ms", INK)


def _motion(panel: np.ndarray, comparison: Comparison) -> None:
    aligned = comparison.aligned()
    drawn = ((aligned.before, BEFORE), (aligned.reference, REFERENCE), (aligned.stream, STREAM))
    most = max(float(np.abs(values).max()) for values, _ in drawn) or 1.0
    for values, colour in drawn:
        _line(panel, aligned.times_s, values, (-most, most), colour)


def _curve(panel: np.ndarray, comparison: Comparison) -> None:
    lags, information = comparison.lags_s, comparison.information.sum(axis=0)
    _line(panel, lags, information, (float(information.min()), float(information.max())), INK)
    place = (comparison.lag_s - lags[0]) / (lags[-1] - lags[0])
    x = round(place * (panel.shape[1] - 1))
    cv2.line(panel, (x, 0), (x, panel.shape[0] - 1), REFERENCE, 1)
    _text(panel, (0, panel.shape[0] - 3), f"{1e3 * lags[0]:.0f}", INK)
    _text(panel, (panel.shape[1] - 30, panel.shape[0] - 3), f"{1e3 * lags[-1]:.0f}", INK)


def _line(
    panel: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    span: tuple[float, float],
    colour: tuple[int, int, int],
) -> None:
    height, width = panel.shape[:2]
    across = (x - x[0]) / max(x[-1] - x[0], 1e-9) * (width - 1)
    up = (y - span[0]) / max(span[1] - span[0], 1e-9) * (height - 21) + 10
    places = np.stack([across, height - 1 - up], axis=1) * 2**FINER
    points = [np.round(places).astype(np.int32)]
    cv2.polylines(panel, points, False, colour, 1, cv2.LINE_AA, FINER)


def _text(
    picture: np.ndarray, place: tuple[int, int], text: str, colour: tuple[int, int, int]
) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
