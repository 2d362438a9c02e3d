"""Images of a device, one after the other: a V4L2 camera, a video file, or a synthetic gel.

A device is opened by `open_source` and ends with `DeviceError`: it is missing, busy, gone, or
gives another size than was asked for. Whoever reads opens it again (`reader`).
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from xmodal_ros.core.errors import DeviceError
from xmodal_ros.drivers import video_devices
from xmodal_ros.drivers.gel_settings import SYNTHETIC, DeviceSettings
from xmodal_ros.drivers.synthetic import SyntheticGel

OLDEST_NS = 1_000_000_000
"""A stamp of the driver's that is older than this is of another clock."""
MANUAL, AUTOMATIC = 1, 3
"""Of V4L2_CID_EXPOSURE_AUTO; UVC cameras know "aperture priority", 3, as automatic."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One image `(H, W, 3) uint8` BGR, and when it was captured, by `time.monotonic_ns`."""

    image: np.ndarray
    captured_ns: int


class Ended(Exception):
    """A video file is at its end."""


class Source(Protocol):
    """A device that is open."""

    def read(self, stopping: threading.Event) -> Frame:
        """Wait for the next image, less long where `stopping` is set meanwhile.

        Raises:
            DeviceError: the device is gone, or gives another size than was asked for.
            Ended: there is no next image.
        """
        ...

    def close(self) -> None:
        """Let the device go."""
        ...


def open_source(settings: DeviceSettings) -> Source:
    """Open the device, file or synthetic gel that `settings` name.

    Raises:
        DeviceError: it is missing, busy, not readable, or refuses the size.
    """
    if settings.path == SYNTHETIC:
        return Paced(SyntheticGel(settings.width, settings.height), settings)
    path = Path(settings.path)
    if not path.exists():
        raise DeviceError("there is no such device or file", where=str(path), do=_others())
    if path.is_file():
        return Paced(VideoFile(path, loop=settings.loop), settings)
    return V4l2Camera(path, settings)


class V4l2Camera:
    """A camera that Linux knows by a device file."""

    def __init__(self, path: Path, settings: DeviceSettings) -> None:
        if not os.access(path, os.R_OK | os.W_OK):
            raise DeviceError(
                "may not be opened by this user",
                where=str(path),
                do="Add the user to the group of the device file, mostly 'video'",
            )
        self._path, self._settings = path, settings
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            held = ", ".join(video_devices.holders(path))
            what = f"is held by {held}" if held else "cannot be opened as a camera"
            busy = "End that process" if held else "Another user's process may hold it"
            raise DeviceError(what, where=str(path), do=f"{busy}. {_others()}")
        try:
            self._configure()
        except DeviceError:
            self.close()
            raise

    def read(self, stopping: threading.Event) -> Frame:
        """See `Source`; the wait is the device's, `stopping` has no say in it."""
        read, image = self._capture.read()
        now_ns = time.monotonic_ns()
        if not read:
            raise DeviceError(
                "gives no image any more", where=str(self._path), do="Is it plugged?"
            )
        _check_size(image, self._settings)
        # Of the kernel, by the monotonic clock where the driver is a usual one.
        stamp_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        return Frame(image, stamp_ns if 0 <= now_ns - stamp_ns < OLDEST_NS else now_ns)

    def close(self) -> None:
        """Let the device go."""
        self._capture.release()

    def _configure(self) -> None:
        """Ask for size, rate and exposure; a size that the device does not have is refused."""
        asked, capture = self._settings, self._capture
        if asked.pixel_format:
            code = cv2.VideoWriter.fourcc(*asked.pixel_format)
            if not capture.set(cv2.CAP_PROP_FOURCC, code):
                raise DeviceError(
                    f"has no pixel format '{asked.pixel_format}'",
                    where=str(self._path),
                    do="`v4l2-ctl --list-formats-ext` tells those that it has",
                )
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, asked.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, asked.height)
        capture.set(cv2.CAP_PROP_FPS, asked.rate_hz)
        capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL if asked.exposure else AUTOMATIC)
        if asked.exposure and not capture.set(cv2.CAP_PROP_EXPOSURE, asked.exposure):
            raise DeviceError(
                f"refuses the exposure {asked.exposure}",
                where=str(self._path),
                do="Set device.exposure to 0, or to a value in the range that "
                "`v4l2-ctl --list-ctrls` tells",
            )
        given = (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if given != (asked.width, asked.height):
            raise _other_size(round(given[0]), round(given[1]), asked)


class VideoFile:
    """The images of a file, as fast as they are asked for."""

    def __init__(self, path: Path, *, loop: bool) -> None:
        self._path, self._loop = path, loop
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise DeviceError("cannot be read as a video", where=str(path))

    def image(self) -> np.ndarray:
        """The next image.

        Raises:
            DeviceError: the file is gone, as a device that was unplugged, or has no image.
            Ended: it was the last one.
        """
        if not self._path.exists():
            raise DeviceError("is gone", where=str(self._path), do="Plug it in again")
        read, image = self._capture.read()
        if not read and self._loop:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            read, image = self._capture.read()
            if not read:
                raise DeviceError("has no image", where=str(self._path))
        if not read:
            raise Ended
        return image

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class Paced:
    """Gives the images of what has no time of its own at the rate of a device."""

    def __init__(self, images: VideoFile | SyntheticGel, settings: DeviceSettings) -> None:
        self._images, self._settings = images, settings
        self._next_ns = time.monotonic_ns()

    def read(self, stopping: threading.Event) -> Frame:
        """See `Source`."""
        image = self._images.image()
        _check_size(image, self._settings)
        stopping.wait(max(self._next_ns - time.monotonic_ns(), 0) * 1e-9)
        now_ns = time.monotonic_ns()
        period_ns = round(1e9 / self._settings.rate_hz)
        # What is late is not caught up with in a burst.
        self._next_ns = max(self._next_ns + period_ns, now_ns)
        return Frame(image, now_ns)

    def close(self) -> None:
        """Close what gives the images."""
        self._images.close()


def _check_size(image: np.ndarray, asked: DeviceSettings) -> None:
    if image.shape[:2] != (asked.height, asked.width):
        raise _other_size(image.shape[1], image.shape[0], asked)


def _other_size(width: int, height: int, asked: DeviceSettings) -> DeviceError:
    return DeviceError(
        f"gives {width} x {height}",
        where=asked.path,
        expected=f"{asked.width} x {asked.height}, as device.width and device.height say",
        do="Set them to a size that the device has; `v4l2-ctl --list-formats-ext` tells which",
    )


def _others() -> str:
    found = video_devices.present()
    return "There are " + ", ".join(found) if found else "There is no /dev/video* at all"
