"""A moment's small picture: what its cameras and gels saw, side by side."""

from __future__ import annotations

from collections.abc import Collection

import cv2
import numpy as np

from xmodal_ros.core.types import Modality, Observation

HEIGHT_PX, QUALITY = 72, 75
"""A JPEG of a few kilobytes."""


def picture(observation: Observation, streams: Collection[str]) -> bytes:
    """JPEG of the streams that are images; empty where none is."""
    images = [
        data.data
        for name, data in observation.streams.items()
        if name in streams and data.modality in (Modality.CAMERA, Modality.TACTILE)
    ]
    if not images:
        return b""
    small = [
        cv2.resize(
            image,
            (max(1, round(image.shape[1] * HEIGHT_PX / image.shape[0])), HEIGHT_PX),
            interpolation=cv2.INTER_AREA,
        )
        for image in images
    ]
    joined = cv2.cvtColor(np.concatenate(small, axis=1), cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", joined, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
