"""Draw moments of the demonstration recording as every sensor sees them.

python tools/episode_sheet.py    write docs/pictures/episode.jpg

The rows: camera of the cell, camera at the hand, left gel, right gel, and the LiDAR's points seen
from above, in the colours of their classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout that is not installed

from xmodal_ros.data.decode import decode_compressed, decode_image, decode_pointcloud2  # noqa: E402
from xmodal_ros.data.recording import Recording  # noqa: E402
from xmodal_ros.sim.demonstration import record_demonstration  # noqa: E402
from xmodal_ros.sim.settings import SimSettings  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "episode.jpg"
SIDE, CAPTION = 168, 18
VIEW_M, MIDDLE_M = 1.5, (-0.4, 0.75)
"""What is shown of a scan, in the LiDAR's frame: the table."""
IMAGES = ("camera", "camera_wrist", "tactile_left", "tactile_right")
COLOURS = np.array(
    [(70, 70, 70), (60, 90, 140), (60, 200, 255), (200, 200, 200), (90, 90, 255), (120, 220, 120)],
    np.uint8,
)
"""BGR by class: background, table, object, arm, gripper, person."""


def column(latest: dict[str, Any], activity: str) -> np.ndarray:
    """One moment, `(rows, SIDE, 3) uint8` BGR."""
    caption = np.full((CAPTION, SIDE, 3), 255, np.uint8)
    cv2.putText(caption, activity, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1)
    parts: list[Any] = [caption]
    for stream in IMAGES:
        image = decode_compressed(latest[f"/{stream}/image_raw/compressed"])[..., ::-1]
        size = SIDE, round(SIDE * image.shape[0] / image.shape[1])
        parts.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return np.vstack(
        [*parts, _from_above(latest["/lidar/points"], latest["/truth/classes/lidar"])]
    )


def _from_above(cloud: Any, classes: Any) -> np.ndarray:
    points, labels = decode_pointcloud2(cloud), decode_image(classes)[0]
    order = np.argsort(points[:, 2])  # what is higher covers what is below
    places = (SIDE * (0.5 - (points[order, :2] - MIDDLE_M)[:, ::-1] / VIEW_M)).astype(int)
    inside = ((places >= 0) & (places < SIDE)).all(axis=1)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    u, v = places[inside].T
    image[v, u] = COLOURS[labels[order][inside]]
    return cv2.dilate(image, np.ones((2, 2), np.uint8))


def _middles(recording: Recording) -> Iterator[tuple[int, str]]:
    """Time and name of each activity in which something is done."""
    labels = [(m.log_time_ns, m.message.data) for m in recording.messages(["/labels/activity"])]
    for (start_ns, activity), (end_ns, _) in pairwise(labels):
        if activity not in ("idle", "reach"):
            yield (start_ns + end_ns) // 2, activity


def main() -> None:
    """Record, and draw the middle of each activity."""
    with TemporaryDirectory() as folder:
        path = record_demonstration(Path(folder) / "recording", SimSettings())
        latest: dict[str, Any] = {}
        columns = []
        with Recording(path) as recording:
            moments = list(_middles(recording))
            for topic, _, time_ns, message in recording.messages():
                latest[topic] = message
                if moments and time_ns > moments[0][0]:
                    columns.append(column(latest, moments.pop(0)[1]))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(PICTURE), np.hstack(columns), [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(PICTURE)


if __name__ == "__main__":
    main()
