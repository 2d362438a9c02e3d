"""Arrays to the fields of sensor messages: what `decode` reads, written."""

from __future__ import annotations

import numpy as np

from xmodal_ros.data.encode import Fields, seconds


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
    names = ("x", "y", "z", "intensity")
    return {
        "header": _header(stamp_ns, frame_id),
        "height": 1,
        "width": len(points),
        "fields": [
            {"name": name, "offset": 4 * k, "datatype": 7, "count": 1}
            for k, name in enumerate(names)
        ],
        "point_step": 16,
        "row_step": 16 * len(points),
        "data": np.ascontiguousarray(points, "<f4").reshape(-1).view(np.uint8),
        "is_dense": True,
    }


def _header(stamp_ns: int, frame_id: str) -> Fields:
    return {"stamp": seconds(stamp_ns), "frame_id": frame_id}
