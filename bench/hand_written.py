"""The pipeline a user would write by hand, as a process: `python -m bench.hand_written BUNDLE`.

Subscriptions into ApproximateTimeSynchronizer, an image copied as cv_bridge does, and the same
network in eager torch fp32, all in the callback of a single-threaded node. Of a gel it keeps the
last frames and runs the whole clip each time; of the IMU it takes the last samples, of a LiDAR the
last scan.
"""

from __future__ import annotations

import sys
from collections import deque
from functools import partial
from typing import Any

import cv2
import numpy as np
import rclpy
import torch
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Empty, Header

from bench.approximate_time import approximate_time
from bench.sensors import DONE, SIZES, TYPES
from xmodal_ros.core.range_image import to_range_image
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.windows import Clip
from xmodal_ros.data.decode import decode_pointcloud2
from xmodal_ros.runtime.bundle import Bundle

QUEUE, SLOP_S = 10, 0.05
OUTPUT = "/hand_written/answers"
HISTORY = 200


class HandWritten(Node):
    """Publishes the header of every set it has predicted."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__("hand_written")
        self.inputs, self.network = bundle.inputs, bundle.network()
        self.done = False
        streams = Settings().reading(self.inputs).streams
        images = [s for s in streams if s.modality in SIZES]
        add, _ = approximate_time(len(images), QUEUE, SLOP_S, self._predict)
        self.images = [s.name for s in images]
        self.history: dict[str, deque[tuple[float, np.ndarray]]] = {}
        self.publisher = self.create_publisher(Header, OUTPUT, 10)
        for index, stream in enumerate(images):
            self.create_subscription(
                TYPES[stream.modality], stream.topic, lambda m, i=index: add(i, m), 5
            )
            self.history[stream.name] = deque(maxlen=HISTORY)
        remember = {"imu": self._remember, "lidar": self._project}
        for stream in (s for s in streams if s.modality not in SIZES):
            self.history[stream.name] = deque(maxlen=self.inputs[stream.name].frames)
            take = partial(remember[stream.modality], stream.name)
            self.create_subscription(TYPES[stream.modality], stream.topic, take, 5)
        self.create_subscription(Empty, DONE, self._finish, 1)

    def _finish(self, _: Empty) -> None:
        self.done = True

    def _remember(self, name: str, message: Any) -> None:
        force, rate = message.linear_acceleration, message.angular_velocity
        row = np.array([force.x, force.y, force.z, rate.x, rate.y, rate.z], np.float32)
        self.history[name].append((_seconds(message), row))

    def _project(self, name: str, message: Any) -> None:
        view = self.inputs[name].view
        assert view
        scan = to_range_image(decode_pointcloud2(message), view)
        self.history[name].append((_seconds(message), scan.image))

    def _predict(self, *messages: Any) -> None:
        batch = {}
        for name, message in zip(self.images, messages, strict=True):
            pixels = np.array(message.data, np.uint8)  # a copy, as cv_bridge makes one
            pixels = pixels.reshape(message.height, message.width, 3)
            spec = self.inputs[name]
            size = (spec.width, spec.height)
            image = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
            self.history[name].append((_seconds(message), image))
            batch[name] = torch.from_numpy(self._clip(name) if spec.frames > 1 else image)[None]
        for name in self.inputs.keys() - set(self.images):
            rows = [row for _, row in self.history[name]]
            if len(rows) < self.inputs[name].frames:
                return
            window = rows[0] if len(rows) == 1 else np.stack(rows)
            batch[name] = torch.from_numpy(window)[None]
        with torch.no_grad():
            output = self.network(batch)
        for logits in output.logits.values():
            torch.softmax(logits, dim=1).numpy()
        self.publisher.publish(messages[0].header)

    def _clip(self, name: str) -> np.ndarray:
        """Frames (T, H, W, 3): for each time of the clip the nearest one there is."""
        window = self.inputs[name].window
        assert isinstance(window, Clip)
        frames = list(self.history[name])
        last_s = frames[-1][0]
        times_s = [last_s - k * window.spacing_s for k in reversed(range(window.frames))]
        known_s = np.array([time_s for time_s, _ in frames])
        return np.stack([frames[int(np.abs(known_s - t).argmin())][1] for t in times_s])


def _seconds(message: Any) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


def main() -> None:
    """Run until the sensors say that they are done."""
    rclpy.init()
    node = HandWritten(Bundle.load(sys.argv[1]))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not node.done:
            executor.spin_once(timeout_sec=0.2)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
