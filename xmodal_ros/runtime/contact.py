"""Whether something touches a gel, and what was read while it did: one touch after the other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from xmodal_ros.core.errors import UserError
from xmodal_ros.core.types import StreamData

GRID_PX = 64
"""Images are judged on every n-th pixel, about this many along the width."""
BLUR_PX = 5
"""Of the grid: noise is as large as a faint contact, but has no neighbours."""
TOUCHED = 0.02
"""Difference from the no-contact image, relative to its brightness, that 5 % of the pixels have to
exceed. In the simulated cell, 99.9 % of images without contact are below 0.009, and 95 % of those
with more than 0.5 % of the gel in contact above 0.033."""
RELEASED_NS = 300_000_000
"""A contact that is lost for less than this is one touch."""
MOST = 32
"""Touches that are remembered."""


class NoContact(UserError):
    """Nothing touches a gel."""


class TooFew(UserError):
    """Fewer touches are remembered."""


@dataclass
class Touch:
    """One contact, from its beginning to when the gel was let go."""

    begin_ns: int
    end_ns: int
    features: list[npt.NDArray[np.float32]] = field(default_factory=list)
    """What the classifier read at each observation, `(d,)`."""
    probabilities: list[npt.NDArray[np.float32]] = field(default_factory=list)
    """What it answered, `(C,)`."""
    taught: bool = False
    """Whether a material has been taught with it."""


def touched(stream: StreamData) -> bool:
    """Whether something touches a gel; False where its no-contact image is not known.

    Args:
        stream: Of a tactile sensor.
    """
    image, reference = stream.data, stream.reference
    if reference is None or reference.shape != image.shape:
        return False
    step = max(round(image.shape[1] / GRID_PX), 1)
    before = reference[::step, ::step].astype(np.float32)
    change = cv2.blur(image[::step, ::step].astype(np.float32) - before, (BLUR_PX, BLUR_PX))
    strength = float(np.percentile(np.abs(change).mean(2), 95))
    return strength > TOUCHED * max(float(before.mean()), 1.0)


class Touches:
    """Remembers what was read of each touch; one thread may add while another one asks.

    Args:
        remembered_s: For how long; touches that are older are forgotten.
        most: How many.
    """

    def __init__(self, remembered_s: float = 60.0, most: int | None = MOST) -> None:
        self._remembered_ns = remembered_s * 1e9
        self._found: deque[Touch] = deque(maxlen=most)
        self._now_ns = 0
        self._lock = threading.Lock()

    def add(
        self,
        stamp_ns: int,
        contact: bool,
        feature: npt.NDArray[np.float32],
        probabilities: npt.NDArray[np.float32],
    ) -> None:
        """Take an observation; one older than the last means that time was set back."""
        with self._lock:
            if stamp_ns < self._now_ns:
                self._found.clear()
            self._now_ns = stamp_ns
            if not contact:
                return
            if not self._found or stamp_ns - self._found[-1].end_ns > RELEASED_NS:
                self._found.append(Touch(stamp_ns, stamp_ns))
            touch = self._found[-1]
            touch.end_ns = stamp_ns
            touch.features.append(feature)
            touch.probabilities.append(probabilities)

    def all(self) -> list[Touch]:
        """Those that are remembered and nothing was taught with."""
        with self._lock:
            since_ns = self._now_ns - self._remembered_ns
            return [t for t in self._found if not t.taught and t.end_ns >= since_ns]

    def last(self, count: int) -> Sequence[Touch]:
        """The last touches that nothing was taught with.

        Args:
            count: How many; 0 for the one that goes on.

        Raises:
            NoContact: no touch goes on, or nothing was touched.
            TooFew: fewer are remembered.
        """
        fresh = self.all()
        if count == 0:
            return [self._present(fresh)]
        if not fresh:
            raise NoContact(
                "nothing was touched since it was last taught",
                where="gel",
                expected=f"a touch in the last {self._remembered_ns / 1e9:g} s",
                do="Touch the material; `~/capture_reference` if the gel is touched already",
            )
        if len(fresh) < count:
            raise TooFew(
                f"{len(fresh)} touches are remembered that nothing was taught with",
                where="touches",
                expected=f"{count}, each let go before the next one",
            )
        return fresh[-count:]

    def _present(self, fresh: Sequence[Touch]) -> Touch:
        if not fresh or self._now_ns - fresh[-1].end_ns > RELEASED_NS:
            raise NoContact(
                "nothing touches it that was not taught already",
                where="gel",
                expected="contact while it is taught, or the number of touches before",
                do="Touch the material, once more for another touch",
            )
        return fresh[-1]
