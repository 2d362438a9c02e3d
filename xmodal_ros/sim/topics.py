"""What the cell's sensors give as messages: the topics, types and frames of a real robot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.settings import DEFAULT_STREAMS
from xmodal_ros.core.types import Modality
from xmodal_ros.data import fields
from xmodal_ros.sim.gel import GelFrame
from xmodal_ros.sim.lidar import Scan
from xmodal_ros.sim.rig import Frame, Rig

TOPICS = {s.name: f"/{s.topic}" for s in DEFAULT_STREAMS} | {
    "camera_wrist": "/camera_wrist/image_raw"
}
FRAMES = {
    "camera": "camera_optical_frame",
    "camera_wrist": "camera_wrist_optical_frame",
    "tactile_left": "gel_left",
    "tactile_right": "gel_right",
    "imu": "imu",
    "lidar": "lidar",
}
_COMPRESSED = "sensor_msgs/msg/CompressedImage"
_REACH = {True: 0.55, False: 1.1}
"""How far from a message any moment may be, in its periods, by whether it is waited for: clocks
jitter."""


class Message(NamedTuple):
    """One message, before it is serialized."""

    topic: str
    type: str
    fields: fields.Fields


@dataclass(frozen=True)
class TopicSettings:
    """How images are put into messages."""

    jpeg_quality: int = setting(
        95, "quality of JPEG images, 0 for raw ones; truth is never compressed", low=0, high=100
    )

    def __post_init__(self) -> None:
        validate(self, "topics")


class Encoder:
    """Turns readings into messages.

    Args:
        rig: The sensors.
        settings: How images are sent.
    """

    def __init__(self, rig: Rig, settings: TopicSettings) -> None:
        self._rig, self._quality = rig, settings.jpeg_quality

    def encode(self, stream: str, stamp_ns: int, data: Any) -> Iterator[Message]:
        """The messages of one reading: a sensor's own, and the truth about it.

        Args:
            stream: A sensor's name, "labels/<head>" or "poses/<object>".
            stamp_ns: The sensor's stamp.
            data: What the sensor gave, a label's text or a pose `(7,)`.
        """
        kind, _, name = stream.partition("/")
        if kind == "labels":
            yield Message(f"/{stream}", "std_msgs/msg/String", {"data": data})
        elif kind == "poses":
            pose = fields.pose_fields(stamp_ns, "world", data)
            yield Message(f"/truth/poses/{name}", "geometry_msgs/msg/PoseStamped", pose)
        else:
            yield from _SENSORS[kind](self, stream, stamp_ns, data)

    def frames(self, stamp_ns: int) -> Iterator[Message]:
        """Where the hand and the gels are now."""
        yield _transforms("/tf", stamp_ns, self._rig.moving_frames())

    def fixed_frames(self, stamp_ns: int) -> Iterator[Message]:
        """Where sensors are that stay where they are, for the beginning of a recording."""
        yield _transforms("/tf_static", stamp_ns, self._rig.fixed_frames())

    def _picture(self, stream: str, stamp: int, image: np.ndarray) -> Iterator[Message]:
        yield self._image(stream, stamp, image)
        matrix = self._rig.cameras[stream].matrix
        info = fields.camera_info_fields(stamp, FRAMES[stream], matrix, image.shape[:2])
        yield Message(f"/{stream}/camera_info", "sensor_msgs/msg/CameraInfo", info)

    def _touch(self, stream: str, stamp: int, touch: GelFrame) -> Iterator[Message]:
        yield self._image(stream, stamp, touch.image)
        mask = fields.mask_fields(stamp, FRAMES[stream], touch.contact.astype(np.uint8))
        yield Message(f"/truth/contact/{stream}", "sensor_msgs/msg/Image", mask)

    def _scan(self, stream: str, stamp: int, scan: Scan) -> Iterator[Message]:
        cloud = fields.cloud_fields(stamp, FRAMES[stream], scan.points)
        yield Message(TOPICS[stream], "sensor_msgs/msg/PointCloud2", cloud)
        labels = fields.mask_fields(stamp, FRAMES[stream], scan.labels[None])
        yield Message(f"/truth/classes/{stream}", "sensor_msgs/msg/Image", labels)

    def _imu(self, stream: str, stamp: int, sample: np.ndarray) -> Iterator[Message]:
        motion = fields.imu_fields(stamp, FRAMES[stream], sample)
        yield Message(TOPICS[stream], "sensor_msgs/msg/Imu", motion)

    def _image(self, stream: str, stamp: int, image: np.ndarray) -> Message:
        if self._quality:
            packed = fields.compressed_fields(stamp, FRAMES[stream], image, self._quality)
            return Message(f"{TOPICS[stream]}/compressed", _COMPRESSED, packed)
        whole = fields.image_fields(stamp, FRAMES[stream], image)
        return Message(TOPICS[stream], "sensor_msgs/msg/Image", whole)


_SENSORS: dict[str, Callable[[Encoder, str, int, Any], Iterator[Message]]] = {
    "camera": Encoder._picture,
    "camera_wrist": Encoder._picture,
    "tactile_left": Encoder._touch,
    "tactile_right": Encoder._touch,
    "lidar": Encoder._scan,
    "imu": Encoder._imu,
}


def stream_settings(
    settings: TopicSettings, camera: str = "camera", rates_hz: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """What has to be set for `xmodal` to read such a recording, as nested YAML.

    Args:
        settings: The recording's.
        camera: Which of the cell's cameras is to be the stream "camera".
        rates_hz: By sensor: what is nearest of a slow camera or LiDAR is further away.
    """
    streams: dict[str, Any] = {stream.name: {} for stream in DEFAULT_STREAMS}
    for stream in DEFAULT_STREAMS:
        seen = stream.modality == Modality.CAMERA.value
        topic = TOPICS[camera].lstrip("/") if seen else stream.topic
        if settings.jpeg_quality and (seen or stream.modality == Modality.TACTILE.value):
            streams[stream.name] = {"topic": f"{topic}/compressed", "type": _COMPRESSED}
        elif topic != stream.topic:
            streams[stream.name] = {"topic": topic}
        rate_hz = (rates_hz or {}).get(camera if seen else stream.name, math.inf)
        slow = seen or stream.modality == Modality.LIDAR.value
        reach_s = _REACH[stream.wait] / rate_hz
        if slow and reach_s > stream.tolerance_s:
            streams[stream.name]["tolerance_s"] = round(reach_s, 3)
    return {"streams": streams}


def _transforms(topic: str, stamp_ns: int, frames: Iterable[Frame]) -> Message:
    made = [fields.transform_fields(stamp_ns, f.parent, f.name, f.pose) for f in frames]
    return Message(topic, "tf2_msgs/msg/TFMessage", {"transforms": made})
