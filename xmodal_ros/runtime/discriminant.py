"""Classes that are taught, beside those of a trained classifier.

The statistics of a bundle's material head are the means of its classes and one covariance for all
of them, in the space that its classifier reads (`ood.fit_statistics`). Classes of normal
distributions with one covariance are linear discriminant analysis, where a class more is one mean
more: that of what was read while it was touched. The classes of the bundle share the probability
that no taught class takes, as its calibrated classifier divides it. How the two are weighed is our
own (docs/teaching.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from xmodal_ros.runtime.taught import Material

Array = npt.NDArray[np.float32]

SHARPNESS = 0.2
"""Of log likelihoods: features of one window are not normal, and those of a training set lie
closer together than new ones. This and the next two were chosen on validation data."""
PRIOR = 0.25
"""Added to the log likelihood of a taught class, as a prior would be."""
SPREAD = 0.5
"""Squared distances from a mean of n touches are larger by `SPREAD` / n, since it is not the mean
of the class: with it, a class costs the others about as much however many touches it is from."""


class Space:
    """The space that a head's classifier reads, with the bundle's classes and the taught ones.

    Args:
        statistics: From `ood.fit_statistics`.
        materials: The taught classes.
    """

    def __init__(
        self, statistics: Mapping[str, Array], materials: Sequence[Material] = ()
    ) -> None:
        self.materials = tuple(materials)
        self._whitening, self._scale = statistics["whitening"], float(statistics["scale"][0])
        self._known = statistics["means"] @ self._whitening.T  # (C, d)
        means = [m.touches.mean(0) for m in materials]
        self._doubt = np.array([1 + SPREAD / len(m.touches) for m in materials])  # (T,)
        size = len(self._whitening)
        self._taught = np.array(means, np.float32).reshape(-1, size) @ self._whitening.T  # (T, d)

    def extend(
        self, feature: Array, probabilities: Array
    ) -> tuple[Array, npt.NDArray[np.float64]]:
        """Probabilities of all classes, and how far the nearest taught one is.

        Args:
            feature: What the classifier read. Shape: (..., d).
            probabilities: Its own, calibrated. Shape: (..., C).

        Returns:
            Shape: (..., C + T), and the distance by which `ood.ood_score` goes. Shape: (...).
        """
        white = (feature @ self._whitening.T)[..., None, :]
        known, taught = (
            np.square(white - means).sum(-1, dtype=np.float64)
            for means in (self._known, self._taught)
        )
        others = np.logaddexp.reduce(-SHARPNESS / 2 * known, axis=-1, keepdims=True)
        likely = np.concatenate([others, PRIOR - SHARPNESS / 2 * taught / self._doubt], axis=-1)
        shares = np.exp(likely - np.logaddexp.reduce(likely, axis=-1, keepdims=True))
        extended = np.concatenate([probabilities * shares[..., :1], shares[..., 1:]], axis=-1)
        return extended.astype(np.float32), np.sqrt(taught.min(-1)) / self._scale
