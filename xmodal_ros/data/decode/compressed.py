"""`sensor_msgs/msg/CompressedImage` (JPEG, PNG) to RGB arrays."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode.image import ENCODINGS

_KINDS = {
    "JPEG": (b"\xff\xd8\xff", b"\xff\xd9"),
    "PNG": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
}
"""First and last bytes of a whole file."""
_TAIL = 4096  # some cameras pad a frame with zeros to a multiple of their transfer size


def decode_compressed(message: Any, where: str = "image") -> np.ndarray:
    """Decode to `(H, W, 3) uint8` RGB.

    The content decides between JPEG and PNG. `format` is read as image_transport writes it, "rgb8;
    jpeg compressed bgr8": the colours of a file that was "compressed rgb8" are swapped in it.

    Raises:
        DataError: neither JPEG nor PNG, cut short, damaged, or a depth image.
    """
    data = np.frombuffer(message.data, np.uint8)
    source, _, _ = message.format.partition(";")
    encoding = ENCODINGS.get(source.strip())
    if "compressedDepth" in message.format or (encoding and encoding.depth):
        raise DataError(
            f"'{message.format}' is a depth image",
            where=where,
            expected="a colour or grey image",
            do="Point the stream at the camera's colour topic.",
        )
    head = data[:8].tobytes()
    kind = next((k for k, (first, _) in _KINDS.items() if head.startswith(first)), None)
    if kind is None:
        raise DataError(
            f"neither JPEG nor PNG but '{message.format}'",
            where=where,
            expected="one of the two",
            do="Republish the camera's raw topic, or as one of them.",
        )
    whole = data[-_TAIL:].tobytes().rstrip(b"\0").endswith(_KINDS[kind][1])
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if whole else None
    if image is None:
        what = "damaged" if whole else "cut short"
        raise DataError(
            f"a {kind} that is {what}",
            where=where,
            expected=f"a whole one, not {data.size} bytes of it",
            do="Look for lost packets between the camera and the driver.",
        )
    swapped = "compressed rgb" in message.format
    return image if swapped else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
