"""Mean and deviation of each channel, as plain data that a bundle can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial.track import AXES
from xmodal_ros.data.inertial.windows import SIX, Slot

SMALLEST = 1e-6
"""Deviation that is nothing but rounding, as a share of the mean."""


class Statistics(TypedDict):
    """By channel, in the order of a window."""

    channels: list[str]
    mean: list[float]
    deviation: list[float]


def statistics(values: np.ndarray, present: np.ndarray, slots: Sequence[Slot] = SIX) -> Statistics:
    """Mean and standard deviation over all windows in which a channel is present.

    Args:
        values: `(N, T, 3 * slots)`, valid windows of training people only.
        present: `(N, slots) bool`.
        slots: What the channels are.

    Raises:
        DataError: a slot is in no window, or a channel never changes or is not finite.
    """
    found = Statistics(channels=[], mean=[], deviation=[])
    for k, slot in enumerate(slots):
        chosen = values[present[:, k], :, 3 * k : 3 * k + 3].reshape(-1, 3).astype(np.float64)
        if not len(chosen):
            raise DataError("is in no window", where=str(slot), do="Leave the slot out.")
        mean, deviation = chosen.mean(0), chosen.std(0)
        if not (deviation > SMALLEST * np.maximum(np.abs(mean), 1.0)).all():
            raise DataError(
                f"deviations by axis are {deviation.tolist()}",
                where=str(slot),
                expected="finite and above 0",
                do="Leave out windows that are invalid, and see `problems`.",
            )
        found["channels"] += [f"{slot} {axis}" for axis in AXES]
        found["mean"] += mean.tolist()
        found["deviation"] += deviation.tolist()
    return found
