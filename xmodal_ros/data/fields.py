"""Arrays to the fields of sensor messages: what `decode` reads, written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from xmodal_ros.data.encode import Fields, seconds

_POINT = np.dtype([(name, "<f4") for name in ("x", "y", "z", "intensity")])
_LABELLED = np.dtype(
    {
        "names": ["x", "y", "z", "label", "confidence"],
        "formats": ["<f4", "<f4", "<f4", "u1", "<f4"],
        "offsets": [0, 4, 8, 12, 16],  # floats where a compiler would have them
        "itemsize": 20,
    }
)
_CODES = {"u1": 2, "f4": 7}
"""Types of sensor_msgs/msg/PointField."""


def image_fields(stamp_ns: int, frame_id: str, image: np.ndarray) -> Fields:
    """`sensor_msgs/msg/Image` (rgb8) of `(H, W, 3) uint8` RGB."""
    height, width, channels = image.shape
    return {
        "header": _header(stamp_ns, frame_id),
        "height": height,
        "width": width,
        "encoding": "rgb8",
        "step": width * channels,
        "data": np.ascontiguousarray(image).reshape(-1),
    }


def mask_fields(stamp_ns: int, frame_id: str, mask: np.ndarray) -> Fields:
    """`sensor_msgs/msg/Image` (mono8) of `(H, W) uint8`."""
    return {
        "header": _header(stamp_ns, frame_id),
        "height": mask.shape[0],
        "width": mask.shape[1],
        "encoding": "mono8",
        "step": mask.shape[1],
        "data": np.ascontiguousarray(mask).reshape(-1),
    }


def compressed_fields(stamp_ns: int, frame_id: str, image: np.ndarray, quality: int) -> Fields:
    """`sensor_msgs/msg/CompressedImage` (JPEG) of `(H, W, 3) uint8` RGB.

    Colours keep their resolution: a gel's colours are the slopes of what presses into it.
    """
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return {"header": _header(stamp_ns, frame_id), "format": "jpeg", "data": data}


def camera_info_fields(
    stamp_ns: int, frame_id: str, matrix: np.ndarray, shape: tuple[int, int]
) -> Fields:
    """`sensor_msgs/msg/CameraInfo` of a pinhole `(3, 3)` without distortion."""
    return {
        "header": _header(stamp_ns, frame_id),
        "height": shape[0],
        "width": shape[1],
        "distortion_model": "plumb_bob",
        "d": [0.0] * 5,
        "k": matrix.reshape(-1),
        "r": np.eye(3).reshape(-1),
        "p": np.hstack([matrix, np.zeros((3, 1))]).reshape(-1),
    }


def pose_fields(stamp_ns: int, frame_id: str, pose: np.ndarray) -> Fields:
    """`geometry_msgs/msg/PoseStamped` of `(7,)` position and quaternion (w, x, y, z)."""
    position, orientation = _position(pose), _orientation(pose)
    return {
        "header": _header(stamp_ns, frame_id),
        "pose": {"position": position, "orientation": orientation},
    }


def transform_fields(stamp_ns: int, parent: str, child: str, pose: np.ndarray) -> Fields:
    """`geometry_msgs/msg/TransformStamped` of `child`'s pose `(7,)` in `parent`."""
    return {
        "header": _header(stamp_ns, parent),
        "child_frame_id": child,
        "transform": {"translation": _position(pose), "rotation": _orientation(pose)},
    }


def imu_fields(stamp_ns: int, frame_id: str, sample: np.ndarray) -> Fields:
    """`sensor_msgs/msg/Imu` of `(6,)` specific force and angular rate, without orientation."""
    force, rate = sample[:3].tolist(), sample[3:].tolist()
    return {
        "header": _header(stamp_ns, frame_id),
        "orientation_covariance": [-1.0] + [0.0] * 8,  # absent, REP 145
        "linear_acceleration": dict(zip("xyz", force, strict=True)),
        "angular_velocity": dict(zip("xyz", rate, strict=True)),
    }


def cloud_fields(stamp_ns: int, frame_id: str, points: np.ndarray) -> Fields:
    """`sensor_msgs/msg/PointCloud2` of `(N, 4) float32` x, y, z, intensity."""
    return _cloud(stamp_ns, frame_id, np.ascontiguousarray(points, "<f4").view(_POINT)[:, 0])


def labelled_cloud_fields(
    stamp_ns: int,
    frame_id: str,
    points: np.ndarray,
    labels: np.ndarray,
    confidence: np.ndarray,
) -> Fields:
    """`sensor_msgs/msg/PointCloud2` of points and what they are.

    Args:
        stamp_ns: Of the scan.
        frame_id: Of the scan.
        points: x, y, z, and more that is left out. Shape: (N, 3 or more), float32.
        labels: Shape: (N,), uint8.
        confidence: Shape: (N,), float32.
    """
    cloud = np.zeros(len(points), _LABELLED)  # what is between fields is the same every time
    for k, name in enumerate("xyz"):
        cloud[name] = points[:, k]
    cloud["label"], cloud["confidence"] = labels, confidence
    return _cloud(stamp_ns, frame_id, cloud)


def _cloud(stamp_ns: int, frame_id: str, points: np.ndarray) -> Fields:
    """A cloud of one row, of a structured array `(N,)`."""
    size = points.dtype.itemsize
    return {
        "header": _header(stamp_ns, frame_id),
        "height": 1,
        "width": len(points),
        "fields": [
            {"name": name, "offset": offset, "datatype": _CODES[dtype.str[1:]], "count": 1}
            for name, (dtype, offset) in _columns(points.dtype)
        ],
        "point_step": size,
        "row_step": size * len(points),
        "data": points.view(np.uint8),
        "is_dense": True,
    }


def _columns(dtype: np.dtype[Any]) -> Iterator[tuple[str, tuple[np.dtype[Any], int]]]:
    """Name, and type and offset, of each field."""
    fields: Mapping[str, Any] = dtype.fields or {}
    return ((name, field[:2]) for name, field in fields.items())


def _position(pose: np.ndarray) -> Fields:
    return dict(zip("xyz", pose[:3].tolist(), strict=True))


def _orientation(pose: np.ndarray) -> Fields:
    return dict(zip("wxyz", pose[3:].tolist(), strict=True))


def _header(stamp_ns: int, frame_id: str) -> Fields:
    return {"stamp": seconds(stamp_ns), "frame_id": frame_id}
