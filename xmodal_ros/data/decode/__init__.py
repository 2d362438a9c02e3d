"""Messages to samples, for message objects of rclpy and of rosbags alike.

A decoder only reads a message's fields. Where an encoding allows it, the array is a view of the
message's own memory and keeps it alive. That is safe because both libraries hand out a fresh
object per message: rclpy fills a new `array.array` for each one it takes, rosbags gives a view of
the bytes it read, and neither writes to them again. Views of a recording are read-only.

`DataError.what` of a decoder holds no numbers of the message, so that errors can be counted by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.types import Modality, Sample
from xmodal_ros.data.decode.compressed import decode_compressed
from xmodal_ros.data.decode.image import decode_image, decode_rgb
from xmodal_ros.data.decode.imu import decode_imu
from xmodal_ros.data.decode.pointcloud2 import decode_pointcloud2

__all__ = [
    "DECODERS",
    "decode",
    "decode_compressed",
    "decode_image",
    "decode_imu",
    "decode_pointcloud2",
    "decode_rgb",
    "stamp_ns",
]

_IMAGES = (Modality.CAMERA, Modality.TACTILE)

DECODERS: dict[str, tuple[tuple[Modality, ...], Callable[[Any, str], np.ndarray]]] = {
    "sensor_msgs/msg/Image": (_IMAGES, decode_rgb),
    "sensor_msgs/msg/CompressedImage": (_IMAGES, decode_compressed),
    "sensor_msgs/msg/Imu": ((Modality.IMU,), decode_imu),
    "sensor_msgs/msg/PointCloud2": ((Modality.LIDAR,), decode_pointcloud2),
}
"""Per message type: the modalities it can carry, and its decoder."""


def decode(message: Any, type_name: str, modality: Modality | str, where: str = "") -> Sample:
    """Decode one message.

    Args:
        message: The message object, of whichever library.
        type_name: Its type, such as "sensor_msgs/msg/Image".
        modality: What the stream carries; `Sample` says what array that gives.
        where: The topic, for the text of an error; the type's name if empty.

    Raises:
        DataError: the type does not fit the modality, or the message contradicts itself.
    """
    where = where or type_name
    modalities, decoder = DECODERS.get(type_name, ((), None))
    if decoder is None or Modality(modality) not in modalities:
        fitting = [name for name, (kinds, _) in DECODERS.items() if modality in kinds]
        raise DataError(
            f"{type_name} cannot be read as {Modality(modality).value}",
            where=where,
            expected=" or ".join(fitting),
            do="Check the stream's topic, type and modality.",
        )
    try:
        data = decoder(message, where)
        header = message.header
        return Sample(stamp_ns(header.stamp), header.frame_id, data)
    except AttributeError as error:
        if error.obj is not message:
            raise
        raise DataError(
            f"a {type(message).__name__} without '{error.name}'", where=where, expected=type_name
        ) from error


def stamp_ns(stamp: Any) -> int:
    """Nanoseconds of a `builtin_interfaces/msg/Time` or `Duration`."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
