"""How well two streams tell each other's motion, by the lag between their stamps: `compare`.

For each lag the reference's motion is summed up over the very intervals between the stream's
messages, so that a slow stream is compared without being interpolated. How well one tells the
other is the mutual information of Gaussian variables, -1/2 log det(I - R R') of their canonical
correlations R (Bach and Jordan 2002, section 4.1): neither axes nor scales nor mounting have to be
known. It is computed within windows of a few seconds, because distance and grip change what motion
looks like, and summed up over them: windows without motion say nothing. Drawing recordings anew,
and windows in each, says where the highest sum would be with others (bootstrap in two stages,
Davison and Hinkley 1997, section 3.8: what one grasp brings is in all windows of its recording).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xmodal_ros.data.time_offsets.motion import Motion
from xmodal_ros.data.time_offsets.pair import LEAST_HZ, WINDOW_S, Aligned, Pair

Motions = Mapping[str, Motion]
"""Of one recording, by stream."""

STEP_S = 0.005
FEWEST = 5
"""Windows: the bootstrap says nothing of fewer."""
DRAWS = 400


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """How a stream goes with the reference."""

    lags_s: np.ndarray
    """What is added to the stream's stamps. Shape: (L,)."""
    information: np.ndarray
    """Nats per sample by window and lag, what chance gives included. Shape: (W, L)."""
    draws_s: np.ndarray
    """The best lag, by draw of recordings and windows. Shape: (DRAWS,)."""
    pairs: tuple[Pair, ...]
    """Of each recording; their windows are those of `information`, one after the other."""

    @property
    def lag_s(self) -> float:
        """The best lag."""
        return peak(self.lags_s, self.information.sum(axis=0))

    @property
    def correlation(self) -> float:
        """Of two single variables that share as much; a mean that windows weigh in as they say.

        What is shared at the median lag is chance.
        """
        beyond = self.information - np.median(self.information, axis=1, keepdims=True)
        found = beyond[:, self.information.sum(axis=0).argmax()].clip(0)
        if not found.any():
            return 0.0
        return float(np.sqrt(1 - np.exp(-2 * np.average(found, weights=found))))

    def aligned(self) -> Aligned:
        """The window that says most at the best lag."""
        window = int(self.information[:, self.information.sum(axis=0).argmax()].argmax())
        for pair in self.pairs:
            if window < len(pair.stream):
                return pair.aligned(window, self.lag_s)
            window -= len(pair.stream)
        raise IndexError(window)


def compare(
    recordings: Sequence[Motions], stream: str, reference: str, search_s: float, seed: int = 0
) -> Comparison | str:
    """Compare a stream with another one, in all recordings that have both.

    Args:
        recordings: Motion of each.
        stream: Its name.
        reference: The name of the other.
        search_s: Largest lag that is looked at.
        seed: Of the bootstrap.

    Returns:
        The comparison, or why there is none.
    """
    both = [m for m in recordings if stream in m and reference in m]
    if not both:
        return "is not recorded" if all(stream not in m for m in recordings) else "is alone"
    rate_hz = min(m[stream].rate_hz for m in both)
    if rate_hz < LEAST_HZ:
        return f"{rate_hz:.1f} messages per second, at least {LEAST_HZ:.0f} are needed"
    lags_s = np.arange(-np.ceil(search_s / STEP_S), np.ceil(search_s / STEP_S) + 1) * STEP_S
    pairs = [Pair(m[stream], m[reference], float(lags_s[-1])) for m in both]
    parts = [pair.information(lags_s) for pair in pairs if len(pair.stream)]
    windows = sum(map(len, parts))
    if windows < FEWEST:
        least = FEWEST * WINDOW_S
        return f"{windows} windows of {WINDOW_S:.0f} s; record at least {least:.0f} s"
    if not any(pair.stream.any() for pair in pairs):
        return "nothing moves"
    rng = np.random.default_rng(seed)
    draws_s = np.array([peak(lags_s, _drawn(parts, rng)) for _ in range(DRAWS)])
    return Comparison(lags_s, np.concatenate(parts), draws_s, tuple(pairs))


def _drawn(parts: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The sum over recordings that are drawn anew, and windows drawn anew in each. Shape: (L,)."""
    found = np.zeros(parts[0].shape[1])
    for recording in rng.integers(len(parts), size=len(parts)):
        windows = parts[recording]
        found += windows[rng.integers(len(windows), size=len(windows))].sum(axis=0)
    return found


def peak(lags_s: np.ndarray, information: np.ndarray) -> float:
    """Where it is highest, by a parabola through the highest value and its neighbours.

    Args:
        lags_s: Evenly spaced. Shape: (L,).
        information: Shape: (L,).
    """
    place = int(np.argmax(information))
    if place in (0, len(lags_s) - 1):
        return float(lags_s[place])
    before, there, after = information[place - 1 : place + 2]
    curve = before - 2 * there + after
    shift = (before - after) / (2 * curve) if curve < 0 else 0.0
    return float(lags_s[place] + shift * STEP_S)
