"""Bounded store of gel frames and their features: a frame is encoded once for many clips."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from xmodal_ros.runtime.backends.base import Result

Array = npt.NDArray[Any]
Features = tuple[Array, ...]
Key = tuple[str, int]

_MEGABYTES = 128.0  # two fingers at 60 Hz and 320x240 stay for over 4 s
_PARTNERS = 3
"""Frames that a frame is compared with, from clip to clip. Where the spacing is no multiple of the
sensor's period (0.16 s at 60 Hz is 9.6 frames), neighbours in a clip are 9 or 10 frames apart."""
_SERIALS = itertools.count()


class Frame:
    """One image, at the network's size, with the features it gave.

    Args:
        image: Kept to recognize the frame. Shape: (H, W, 3).
        ready: At the network's size, with a batch axis. Shape: (1, height, width, 3).
    """

    def __init__(self, image: Array, ready: Array) -> None:
        self.image, self.ready = image, ready
        self.serial = next(_SERIALS)
        self._features: OrderedDict[int, Result] = OrderedDict()  # by the other's serial

    def features(
        self, other: Frame | None, stage: Callable[..., Result], *inputs: Array
    ) -> Result:
        """What the stage gives for this frame minus another; not run again for the same two."""
        # The other's serial and not the other itself, which would keep its whole past alive.
        serial = other.serial if other else -1
        if serial in self._features:
            self._features.move_to_end(serial)
        else:
            self._features[serial] = stage(*inputs)
            if len(self._features) > _PARTNERS:
                self._features.popitem(last=False)
        return self._features[serial]


class FrameStore:
    """Frames by (stream, stamp), least recently used dropped first.

    A frame is taken from the store only if its image is the very same: a recording that is looped,
    or a second one, repeats stamps with other images, and a prediction must not depend on what was
    seen before.
    """

    def __init__(self, megabytes: float = _MEGABYTES) -> None:
        self.limit = int(megabytes * 1e6)
        self.size = 0
        self.frames: OrderedDict[Key, Frame] = OrderedDict()

    def get(self, key: Key, image: Array, prepare: Callable[[Array], Array]) -> Frame:
        """The frame of an image.

        Args:
            key: Stream and stamp.
            image: Shape: (H, W, 3).
            prepare: Gives the image at the network's size, with a batch axis.
        """
        frame = self.frames.get(key)
        if frame and same(frame.image, image):
            self.frames.move_to_end(key)
            return frame
        self._drop(key)
        frame = Frame(image, prepare(image))
        self.frames[key] = frame
        self.size += image.nbytes
        while self.size > self.limit and len(self.frames) > 1:
            self._drop(next(iter(self.frames)))
        return frame

    def clear(self) -> None:
        """Forget everything."""
        self.frames.clear()
        self.size = 0

    def _drop(self, key: Key) -> None:
        frame = self.frames.pop(key, None)
        if frame:
            self.size -= frame.image.nbytes


def same(first: Array, second: Array) -> bool:
    """Whether two images are equal, byte by byte."""
    if first is second:
        return True
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.flags.c_contiguous and second.flags.c_contiguous and first.nbytes % 8 == 0:
        # Eight bytes at a time: this is done for every frame of every clip.
        first, second = first.reshape(-1).view(np.uint64), second.reshape(-1).view(np.uint64)
    return bool((first == second).all())
