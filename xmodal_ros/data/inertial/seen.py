"""What a robot's camera saw at the end of each window of its IMU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial.track import Inertial
from xmodal_ros.data.inertial.windows import Window
from xmodal_ros.data.recorded_images import frames_of
from xmodal_ros.data.settings_file import load_settings
from xmodal_ros.data.source import Source
from xmodal_ros.data.visual_tactile import recordings, simulated
from xmodal_ros.data.visual_tactile.example import Problem

KINDS = (recordings.KIND, simulated.KIND)
"""Kinds of data sets that have a camera's images beside the IMU."""


def newest_frames(
    data: Inertial, windows: Sequence[Window], stream: str, oldest_s: float
) -> tuple[list[Source | None], list[Problem]]:
    """The newest image before the end of each window; images are not read.

    Args:
        data: Where the windows are from.
        windows: In any order.
        stream: Of the images.
        oldest_s: Age at the window's end from which on an image no longer counts.

    Returns:
        An image for each window, None where there is none, and why recordings have none.

    Raises:
        SettingsError: the data set's settings have no such stream.
    """
    found: list[Source | None] = [None] * len(windows)
    problems: list[Problem] = []
    if data.kind not in KINDS:
        return found, problems
    file = data.root / recordings.SETTINGS
    settings = load_settings(file if file.is_file() else None)
    by_session: dict[str, list[int]] = {}
    for place, window in enumerate(windows):
        by_session.setdefault(window.session, []).append(place)
    for session, places in by_session.items():
        path = data.root / session
        try:
            times_ns, sources = frames_of(path, settings, stream)
        except DataError as error:
            problems.append(Problem("missing", str(path), error.what))
            continue
        ends_ns = np.array([windows[place].end_ns for place in places])
        newest = np.searchsorted(times_ns, ends_ns, side="right") - 1
        for place, frame, end_ns in zip(places, newest.tolist(), ends_ns.tolist(), strict=True):
            if frame >= 0 and end_ns - times_ns[frame] < oldest_s * 1e9:
                found[place] = sources[frame]
    return found, problems
