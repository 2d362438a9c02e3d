"""What light a deformed gel sends to its camera: taxim's calibration of two real sensors.

The calibration is a table of polynomials of the pixel's place, by steepness and direction of the
gel's surface, fitted by taxim's authors to presses of a ball into a real gel (Si and Yuan, Taxim:
An Example-Based Simulation Model for GelSight Tactile Sensors, 2022). Rendering from it is our
code: at 240x320 on one core taxim's PyTorch backend takes 47 ms and its JAX backend 109 ms.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

GRID = 401
"""Side of the table over the two angles of slope, from -90 to 90 degrees: so fine that the nearest
entry is within half a level."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """How one real sensor answers to slopes of its gel."""

    background: np.ndarray
    """`(480, 640, 3) float32` RGB in [0, 255], nothing touching."""
    response: np.ndarray
    """`(6, GRID, GRID, 3) float32`: coefficients of x², y², xy, x, y, 1 (pixels of 640 x 480) for
    the change of RGB, by downward (rows) and rightward (columns) angle of slope."""
    low: np.ndarray
    """`(2,)` least x and y that the polynomials were fitted for."""
    high: np.ndarray
    """`(2,)` greatest x and y that the polynomials were fitted for."""
    pixel_m: float
    """Size of a pixel of 640 x 480 on the gel."""
    deform_sigmas: tuple[float, ...]
    """Blurs of the gel's deformation, in widths of the image, widest first."""
    final_sigma: float
    """Last blur, in widths of the image."""
    contact_scale: float
    """Share of the deepest penetration from which the gel follows the surface exactly."""


SENSORS = ("gelsight", "gelsight_mini")


def calibration_folder(sensor: str) -> Path:
    """Where taxim's files of a sensor are."""
    import taxim

    folder: Path = getattr(taxim, f"CALIB_{sensor.upper()}")
    return folder


@cache
def calibration(sensor: str) -> Calibration:
    """Read the calibration of a sensor out of taxim's files."""
    folder = calibration_folder(sensor)
    params = json.loads((folder / "params.json").read_text())
    simulator = params["simulator"]
    with np.load(folder / "dataPack.npz", allow_pickle=True) as presses:
        first, centres = presses["f0"], presses["touch_center"].astype(np.float64)
    return Calibration(
        background=_background(first[..., ::-1].astype(np.float32), simulator),
        response=_response(folder / "polycalib.npz"),
        low=centres.min(axis=0),
        high=centres.max(axis=0),
        pixel_m=params["sensor"]["pixmm"] * 1e-3,
        deform_sigmas=tuple(simulator["deform_pyramid_sigma_rel"][0]),
        final_sigma=simulator["deform_final_sigma_rel"][0],
        contact_scale=simulator["contact_scale"],
    )


def _background(first: np.ndarray, simulator: dict) -> np.ndarray:
    """The no-contact image as taxim prepares it: slightly smoothed except at dark spots."""
    sigma = simulator["initial_frame_sigma_rel"][0] * first.shape[1]
    smooth = cv2.GaussianBlur(first, (0, 0), sigma)
    share = simulator["frame_mixing_percentage"]
    flat = (smooth - first).mean(axis=2, keepdims=True) < simulator["diff_threshold"]
    return np.where(flat, share * smooth + (1 - share) * first, first).astype(np.float32)


def _response(path: Path) -> np.ndarray:
    """Taxim's polar table on a square grid of slopes, where it is smooth around the flat gel."""
    with np.load(path) as table:
        # The file has blue and red the other way round (taxim's own remark).
        polar = np.stack([table["grad_b"], table["grad_g"], table["grad_r"]], axis=-1)
    steep = polar.shape[0] - 1  # the last row and column are never looked up
    angle = np.linspace(-np.pi / 2, np.pi / 2, GRID)
    down, right = np.meshgrid(angle, angle, indexing="ij")
    bins = np.hypot(down, right) / (np.pi / 2) * steep  # the middle of bin i is at i + 0.5
    row = np.minimum(np.where(bins < 0.5, 2 * bins, bins + 0.5), steep)
    column = (np.arctan2(down, right) + np.pi) / (2 * np.pi) * steep + 0.5
    padded = np.pad(polar[:steep, :steep], ((1, 0), (1, 1), (0, 0), (0, 0)), mode="wrap")
    padded[0] = padded[1].mean(axis=0)  # a flat gel has no direction
    return np.stack(
        [
            cv2.remap(
                polynomial.astype(np.float32),
                column.astype(np.float32),
                row.astype(np.float32),
                cv2.INTER_LINEAR,
            )
            for polynomial in np.moveaxis(padded, 2, 0)
        ]
    )
