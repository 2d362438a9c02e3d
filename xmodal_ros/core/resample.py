"""Irregular samples on a regular grid: interpolated linearly, with or without a low-pass.

The low-pass takes away what the grid cannot hold, which would else appear as slow motion. It reads
nothing but the samples it is given, so that a window is the same live and cut from a recording.
Samples are first averaged on a grid that is finer, by the integral of their linear interpolation:
that takes any rate, jitter and small holes alike. A fixed kernel then does the rest.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

FINER = 4
"""Cells of the finer grid in a period of the grid."""
REACH = 4
"""Periods of the grid that the kernel reads on each side."""
CUTOFF = 0.4
"""Where half of an amplitude is left, as a share of the grid's rate. With `REACH`, what is below
0.2 passes, and less than 1 % is left of what is above 0.6 and would appear below 0.4."""
MOST_SAMPLES = 1024
"""The kernel is a matrix of all cells and values: of a second or two that is faster than reading
the few that count, of more it would fill the memory."""


def interpolate(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Linear interpolation; the first and the last value are held outwards.

    Args:
        times: `(M,) int64`, increasing, M >= 2.
        values: `(C, M)`.
        at: `(T,) int64`.

    Returns:
        `(C, T) float64`.
    """
    left = _left(times, at)
    weight = (at - times[left]) / (times[left + 1] - times[left])
    weight = np.minimum(np.maximum(weight, 0.0), 1.0)
    start = values.take(left, axis=1)
    found: np.ndarray = start + weight * (values.take(left + 1, axis=1) - start)
    return found


def lowpass(times: np.ndarray, values: np.ndarray, samples: int, period: float) -> np.ndarray:
    """Values on a grid that ends at time 0, without what is too fast for it.

    The kernel is symmetric, so nothing is late; where it reaches over an end of the window its
    weights are scaled to sum to 1.

    Args:
        times: `(M,) int64`, increasing, M >= 2.
        values: `(C, M)`.
        samples: T.
        period: Of the grid, in the unit of `times`.

    Returns:
        `(C, T) float64`.
    """
    kernel = _kernel(samples)
    cell = period / FINER
    edges = cell * (np.arange(len(kernel) + 1) - (len(kernel) - 0.5))
    means = np.diff(_integral(times, values, edges), axis=1) / cell
    found: np.ndarray = means @ kernel
    return found


def _integral(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Integral of the interpolation from the first time on: `(C, T)`."""
    steps = np.diff(times)
    rise = np.diff(values, axis=1)
    whole = np.zeros(values.shape)
    np.cumsum((values[:, :-1] + rise / 2) * steps, axis=1, out=whole[:, 1:])
    left = _left(times, at)
    inner = np.minimum(np.maximum(at, times[0]), times[-1])
    into = inner - times[left]
    held = values[:, :1] * np.minimum(at - inner, 0.0) + values[:, -1:] * np.maximum(
        at - inner, 0.0
    )
    slope = (rise / steps).take(left, axis=1)
    found: np.ndarray = (
        whole.take(left, axis=1) + into * (values.take(left, axis=1) + into / 2 * slope) + held
    )
    return found


def _left(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The sample before each time, never the last one: `(T,)`."""
    left = times.searchsorted(at, side="right") - 1
    found: np.ndarray = np.minimum(np.maximum(left, 0), times.size - 2)  # np.clip takes thrice
    return found


@lru_cache(maxsize=8)
def _kernel(samples: int) -> np.ndarray:
    """Weights of the finer grid's cells for each value `(FINER * (T - 1) + 1, T)`."""
    cells = np.arange(FINER * (samples - 1) + 1)
    periods = cells[:, None] / FINER - np.arange(samples)
    near = np.abs(periods) < REACH
    hann = np.cos(np.pi / 2 * periods / REACH) ** 2
    weights = np.where(near, np.sinc(2 * CUTOFF * periods) * hann, 0.0)
    found: np.ndarray = weights / weights.sum(axis=0)
    return found
