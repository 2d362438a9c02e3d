"""Images wherever data sets keep them: in files, HDF5, videos and recordings.

A file that is cut off is unreadable, though OpenCV would fill in what is missing. An image that is
grey or has 16 bits is refused, not converted: of a gel, colour is what tells the slope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require
from xmodal_ros.data.gelsight_slip import read_video
from xmodal_ros.data.hdf5 import open_hdf5
from xmodal_ros.data.recorded_images import images
from xmodal_ros.data.source import Found, Source


def load(sources: Sequence[Source]) -> np.ndarray:
    """Images as one clip `(T, H, W, 3) uint8` RGB.

    Raises:
        DataError: an image is missing, cannot be read, is grey or not of 8 bits, or their sizes
            differ.
    """
    clip: list[np.ndarray] = []
    for source in sources:
        for image in stored(source):
            require_rgb8(image, str(source))
            if clip and image.shape != clip[0].shape:
                raise DataError(
                    f"is {_size(image)}", where=str(source), expected=f"{_size(clip[0])} px"
                )
            clip.append(image)
    return np.stack(clip)


def stored(source: Source) -> list[np.ndarray]:
    """Images as they are stored, in their own dtype: `(H, W)`, or `(H, W, 3)` RGB.

    Raises:
        DataError: they are missing or cannot be read.
    """
    ((_, found),) = read([source])
    if isinstance(found, DataError):
        raise found
    return found


def read(sources: Sequence[Source]) -> Found:
    """Read several images of one file, opening it once; gives what `stored` gives, or its error.

    Args:
        sources: All of the same path, each once.
    """
    path = sources[0].path
    reader = images if path.is_dir() else _READERS.get(path.suffix.lower(), _files)
    left = dict.fromkeys(sources)
    try:
        for source, found in reader(sources):
            del left[source]
            yield source, found
    except DataError as error:  # of the file that holds them all
        yield from ((source, error) for source in left)


def require_rgb8(image: np.ndarray, where: str) -> None:
    """Refuse what is not `(H, W, 3) uint8`.

    Raises:
        DataError: it is grey, or of other than 8 bits.
    """
    if image.dtype != np.uint8:
        found = f"has {8 * image.dtype.itemsize} bits per channel ({image.dtype})"
    elif image.ndim != 3 or image.shape[2] != 3:
        found = "is grey" if image.ndim == 2 else f"has shape {image.shape}"
    else:
        return
    raise DataError(
        found, where=where, expected="8-bit RGB", do="Convert it as its sensor's maker says."
    )


def decode(data: bytes, where: str) -> np.ndarray:
    """Decode a file's bytes, `(H, W)` or `(H, W, 3)` RGB in its own dtype; alpha is left out.

    Raises:
        DataError: they are no image, or an image that is cut off.
    """
    for magic, end in _ENDS:
        if data.startswith(magic) and end not in data[-_TAIL_BYTES:]:
            raise DataError("is cut off", where=where, expected="a whole image")
    image = None
    if data:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DataError("cannot be decoded", where=where, expected="an image")
    if image.ndim == 3:
        return np.ascontiguousarray(image[:, :, 2::-1])
    return image


_ENDS = ((b"\xff\xd8", b"\xff\xd9"), (b"\x89PNG", b"IEND"))
"""First bytes of JPEG and PNG, and what a whole file ends with."""
_TAIL_BYTES = 1024
"""Within which that is: some programs append a little."""


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _each(sources: Sequence[Source], one: Callable[[Source], list[np.ndarray]]) -> Found:
    """What `one` reads of each source, or why it cannot be read."""
    for source in sources:
        found: list[np.ndarray] | DataError
        try:
            found = one(source)
        except DataError as error:
            found = error
        except (OSError, LookupError, ValueError, cv2.error) as error:  # a damaged file or disk
            found = DataError(f"cannot be read ({error})", where=str(source))
        yield source, found


def _files(sources: Sequence[Source]) -> Found:
    return _each(sources, lambda s: [decode(require(s.path).read_bytes(), str(s.path))])


def _videos(sources: Sequence[Source]) -> Found:
    frames = list(read_video(sources[0].path))
    return _each(sources, lambda s: [frames[int(s.place)]] if s.place else frames)


def _hdf5(sources: Sequence[Source]) -> Found:
    with open_hdf5(sources[0].path) as file:
        yield from _each(sources, lambda source: [np.asarray(file[source.place])])


_READERS: dict[str, Callable[[Sequence[Source]], Found]] = {
    ".h5": _hdf5,
    ".avi": _videos,
    ".mp4": _videos,
    ".mcap": images,
    ".db3": images,
}
