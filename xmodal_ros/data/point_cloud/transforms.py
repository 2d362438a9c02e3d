"""Where frames were in the world, from the transforms of a recording (`/tf`, `/tf_static`)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.decode import stamp_ns
from xmodal_ros.data.point_cloud.calibration import posed
from xmodal_ros.data.recording import Recording

NEAR_S = 0.1
"""How far from a time the nearest transform of a moving frame may be."""
_TYPE = "tf2_msgs/msg/TFMessage"


class _Moves(NamedTuple):
    """Where a frame was in its parent; a fixed one has a single time."""

    parent: str
    times_ns: np.ndarray
    poses: np.ndarray
    """`(N, 4, 4)`, at increasing times."""
    fixed: bool


class Transforms:
    """All frames of a recording.

    Args:
        recording: Its topics of transforms are read.

    Raises:
        DataError: a transform is no rotation, or a frame has two parents.
    """

    def __init__(self, recording: Recording) -> None:
        self._where = str(recording.path)
        topics = [name for name, topic in recording.topics.items() if topic.type == _TYPE]
        found: dict[str, dict[int, np.ndarray]] = {}
        parents: dict[str, str] = {}
        fixed: set[str] = set()
        for topic, _, _, message in recording.messages(topics):
            for transform in message.transforms:
                child, parent = _name(transform.child_frame_id), _name(transform.header.frame_id)
                if parents.setdefault(child, parent) != parent:
                    raise DataError(
                        f"frame '{child}' is in '{parents[child]}' and in '{parent}'",
                        where=f"{self._where}:{topic}",
                        expected="one parent of each frame",
                    )
                if topic.endswith("tf_static"):
                    fixed.add(child)
                at_ns = stamp_ns(transform.header.stamp)
                found.setdefault(child, {})[at_ns] = _pose(transform, f"{self._where}:{topic}")
        self._moves = {}
        for child, poses in found.items():
            times = sorted(poses)
            stacked = np.stack([poses[time_ns] for time_ns in times])
            self._moves[child] = _Moves(
                parents[child], np.array(times, np.int64), stacked, child in fixed
            )

    def pose(self, frame: str, time_ns: int) -> tuple[str, np.ndarray]:
        """The frame that `frame` is in at last, and its pose `(4, 4)` there.

        Raises:
            DataError: a frame on the way has no transform near that time, or they form a circle.
        """
        name, pose, passed = _name(frame), np.eye(4), set[str]()
        while name in self._moves:
            if name in passed:
                raise DataError(f"frame '{name}' is in itself", where=self._where)
            passed.add(name)
            moves = self._moves[name]
            pose = self._at(name, moves, time_ns) @ pose
            name = moves.parent
        return name, pose

    def _at(self, name: str, moves: _Moves, time_ns: int) -> np.ndarray:
        """A frame in its parent, between two transforms on a straight line and an even turn."""
        times = moves.times_ns
        if moves.fixed:
            return np.asarray(moves.poses[-1])
        after = int(np.searchsorted(times, time_ns))
        around = [k for k in (after - 1, after) if 0 <= k < len(times)]
        near = min(around, key=lambda k: abs(int(times[k]) - time_ns))
        if abs(int(times[near]) - time_ns) > NEAR_S * 1e9:
            raise DataError(
                f"no transform of frame '{name}' within {NEAR_S:g} s of a scan or image",
                where=self._where,
                expected="transforms at the sensors' rate",
            )
        if len(around) == 1:
            return np.asarray(moves.poses[near])
        first, last = moves.poses[after - 1], moves.poses[after]
        share = (time_ns - times[after - 1]) / (times[after] - times[after - 1])
        pose = np.eye(4)
        turns = Rotation.from_matrix(np.stack([first[:3, :3], last[:3, :3]]))
        pose[:3, :3] = Slerp([0.0, 1.0], turns)(share).as_matrix()
        pose[:3, 3] = (1 - share) * first[:3, 3] + share * last[:3, 3]
        return pose


def _name(frame: str) -> str:
    return frame.lstrip("/")


def _pose(transform: Any, where: str) -> np.ndarray:
    position, turn = transform.transform.translation, transform.transform.rotation
    child = transform.child_frame_id
    return posed(
        (position.x, position.y, position.z),
        (turn.w, turn.x, turn.y, turn.z),
        f"{where}, frame '{child}'",
    )
