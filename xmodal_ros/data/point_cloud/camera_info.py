"""How the cameras of a recording see, by the `sensor_msgs/msg/CameraInfo` beside their images."""

from __future__ import annotations

from typing import Any

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.point_cloud.calibration import Camera
from xmodal_ros.data.point_cloud.problems import telling
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.visual_tactile.example import Problem

_MODELS = ("plumb_bob", "rational_polynomial")


def first_message(recording: Recording, topic: str) -> Any:
    """The first message of a topic.

    Raises:
        DataError: there is none that can be read.
    """
    for _, _, _, message in recording.messages([topic]):
        return message
    raise DataError("no message that can be read", where=f"{recording.path}:{topic}")


def camera_of(
    recording: Recording, topic: str, problems: list[Problem], notes: list[str]
) -> tuple[str, Camera] | None:
    """Frame and calibration of a camera, None with a note or problem if it has none."""
    base = topic.removesuffix("/compressed").rpartition("/")[0]
    name = f"{base}/camera_info"
    if name not in recording.topics:
        notes.append(f"{recording.path}: no {name}, so its images do not go with scans")
        return None
    with telling(problems, "calibration"):
        info = first_message(recording, name)
        where = f"{recording.path}:{name}"
        if info.distortion_model not in ("", *_MODELS):
            raise DataError(
                f"the distortion model '{info.distortion_model}' is not known",
                where=where,
                expected=" or ".join(_MODELS),
                do="Rectify the images.",
            )
        distortion = np.array(info.d, np.float64)
        matrix = np.array(info.k, np.float64).reshape(3, 3)
        return info.header.frame_id, Camera(matrix, distortion, info.width, info.height, where)
    return None
