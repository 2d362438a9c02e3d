"""Decode messages to arrays: any object with the fields of a ROS message will do."""

from types import SimpleNamespace

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import decode

header = SimpleNamespace(stamp=SimpleNamespace(sec=12, nanosec=500_000_000), frame_id="camera")
image = SimpleNamespace(
    header=header,
    height=2,
    width=3,
    encoding="bgr8",
    is_bigendian=0,
    step=9,
    data=np.arange(18, dtype=np.uint8),
)
sample = decode(image, "sensor_msgs/msg/Image", "camera")
print(sample.stamp_ns, sample.frame_id, sample.data.shape, sample.data[0, 0])

image.step = 5
try:
    decode(image, "sensor_msgs/msg/Image", "camera", "/camera/image_raw")
except DataError as error:  # what, where, expected
    print(error)
