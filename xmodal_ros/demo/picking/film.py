"""A film of one pick: what the cell's camera and the gels see, what is done, what was answered."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from py_trees.behaviour import Behaviour
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import decode_compressed
from xmodal_ros.demo.picking.behaviours import Pick

TOPICS = {
    stream: f"{stream}/image_raw/compressed"
    for stream in ("camera", "tactile_left", "tactile_right")
}
PERIOD_MS = 200
"""Of the film; the camera's, too."""
LAST_MS = 2000
STILLS = 6
TEXT_PX = 34


class Film:
    """Keeps a picture for each image of the camera.

    Args:
        node: Node to listen with.
        tree: Tells what is being done.
        pick: Tells the grip and the answers.
    """

    def __init__(self, node: Node, tree: Behaviour, pick: Pick) -> None:
        self._node, self._tree, self._pick = node, tree, pick
        self._newest: dict[str, np.ndarray] = {}
        self.frames: list[np.ndarray] = []
        """`(H, W, 3) uint8` RGB."""
        self._subscriptions = [
            node.create_subscription(CompressedImage, topic, partial(self._take, stream), 100)
            for stream, topic in TOPICS.items()
        ]

    def close(self) -> None:
        """Listen no more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def write(self, path: Path) -> None:
        """Write the film as GIF, and some of its pictures side by side as JPEG beside it.

        Raises:
            DataError: nothing was seen, or the files cannot be written.
        """
        if not self.frames:
            raise DataError("the camera gave no image", where=TOPICS["camera"])
        film = cv2.Animation()
        film.frames = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGRA) for frame in self.frames]
        film.durations = [PERIOD_MS] * (len(self.frames) - 1) + [LAST_MS]
        chosen = np.linspace(0, len(self.frames) - 1, STILLS).round().astype(int)
        rows = np.array([self.frames[k] for k in chosen]).reshape(2, -1, *self.frames[0].shape)
        sheet = np.vstack([np.hstack(list(row)) for row in rows])
        stills = path.with_suffix(".jpg")
        written = cv2.imwriteanimation(str(path), film)
        if not (written and cv2.imwrite(str(stills), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))):
            raise DataError("cannot be written", where=str(path))

    def _take(self, stream: str, message: Any) -> None:
        self._newest[stream] = decode_compressed(message, TOPICS[stream])
        if stream == "camera" and len(self._newest) == len(TOPICS):
            self.frames.append(self._draw())

    def _draw(self) -> np.ndarray:
        camera = self._newest["camera"]
        half = camera.shape[0] // 2
        gels = [self._newest[name] for name in ("tactile_left", "tactile_right")]
        width = round(half * gels[0].shape[1] / gels[0].shape[0])
        side = np.vstack([cv2.resize(gel, (width, half)) for gel in gels])
        seen = np.hstack([camera[: 2 * half], side])
        text = np.full((TEXT_PX, seen.shape[1], 3), 255, np.uint8)
        place, font = (8, TEXT_PX - 12), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(text, self._caption(), place, font, 0.5, (30, 40, 50), 1, cv2.LINE_AA)
        return np.vstack([seen, text])

    def _caption(self) -> str:
        tip = self._tree.tip()
        said = f"{tip.name if tip else 'reset'}, {self._pick.force_n:.1f} N"
        if self._pick.answers:
            last = self._pick.answers[-1]
            said += f"   last answer: {last.decision.name.lower()} ({last.probability:.2f})"
        return said
