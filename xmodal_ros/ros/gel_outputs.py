"""What a gel camera publishes: images, how the camera sees, and the gel without contact."""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from xmodal_ros.data import fields
from xmodal_ros.drivers.calibration import Calibration
from xmodal_ros.drivers.gel_settings import ImageSettings
from xmodal_ros.drivers.shape import Shape
from xmodal_ros.ros import qos
from xmodal_ros.ros.encode import fill

DEPTH = 5


class GelOutputs:
    """Publishes with the names of image_transport; an image that nobody hears is not made.

    Args:
        node: Node to publish with.
        settings: Of the images.
        shape: What the images are made with.
    """

    def __init__(self, node: LifecycleNode, settings: ImageSettings, shape: Shape) -> None:
        self._node, self._quality = node, settings.jpeg_quality
        own = node.get_fully_qualified_name().strip("/").replace("/", "_")
        self._frame_id = settings.frame_id or own
        self._raw = self._publisher(Image, "~/image_raw", QoSProfile(depth=DEPTH))
        self._compressed = self._publisher(
            CompressedImage, "~/image_raw/compressed", QoSProfile(depth=DEPTH)
        )
        self._infos = self._publisher(CameraInfo, "~/camera_info", QoSProfile(depth=DEPTH))
        self._reference = self._publisher(Image, "~/reference", qos.latched())
        self._info = fill(CameraInfo, _info(self._frame_id, shape))

    def image(self, stamp_ns: int, image: np.ndarray) -> None:
        """Publish an image `(H, W, 3) uint8` RGB."""
        if self._raw.get_subscription_count():
            self._raw.publish(fill(Image, fields.image_fields(stamp_ns, self._frame_id, image)))
        if self._compressed.get_subscription_count():
            packed = fields.compressed_fields(stamp_ns, self._frame_id, image, self._quality)
            self._compressed.publish(fill(CompressedImage, packed))
        stamp = self._info.header.stamp
        stamp.sec, stamp.nanosec = divmod(stamp_ns, 10**9)
        self._infos.publish(self._info)

    def reference(self, stamp_ns: int, image: np.ndarray) -> None:
        """Publish the gel without contact `(H, W, 3) uint8` RGB, for who comes later, too."""
        made = fields.image_fields(stamp_ns, self._frame_id, image)
        self._reference.publish(fill(Image, made))

    def close(self) -> None:
        """Remove the publishers."""
        for publisher in (self._raw, self._compressed, self._infos, self._reference):
            self._node.destroy_publisher(publisher)

    def _publisher(self, kind: Any, topic: str, profile: QoSProfile) -> Any:
        return self._node.create_publisher(
            kind, topic, profile, qos_overriding_options=qos.OVERRIDABLE
        )


def _info(frame_id: str, shape: Shape) -> dict[str, Any]:
    """Fields of CameraInfo; a matrix of zeros means, as there, that nothing is known."""
    size = shape.height, shape.width
    known = shape.calibration
    made = fields.camera_info_fields(0, frame_id, known.matrix if known else _UNKNOWN, size)
    return made | (_distortion(known) if known else {"r": np.zeros(9), "p": np.zeros(12)})


def _distortion(known: Calibration) -> dict[str, Any]:
    return {"distortion_model": known.model, "d": known.distortion.tolist()}


_UNKNOWN = np.zeros((3, 3))
