"""GelSight clips of both fingers of a gripper, labelled by whether the object slipped out.

Source: Amit Parag, Incipient-Slip-Detection (SINTEF, MIT), BSD-2.
One clip is 48 frames of 320x240 at 25 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import read_table, require

RATE_HZ = 25.0
FINGERS = ("L", "R")


@dataclass(frozen=True, slots=True)
class Grasp:
    """One grasp; hold out whole objects (`object`), never single grasps."""

    name: str
    object: str
    slip: bool
    """True when the object slipped out while lifted and shaken."""
    split: str
    """The manifest's own split by object: train or test."""


class GelsightSlip:
    """The data set in a folder.

    Raises:
        DataError: the manifest is missing or lacks a column.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        rows = read_table(self.root / "manifest.csv", ("grasp", "object", "slip", "split"))
        self.grasps = tuple(
            Grasp(row["grasp"], row["object"], row["slip"] == "1", row["split"]) for row in rows
        )

    def path(self, grasp: str, finger: str, *, full: bool = False) -> Path:
        """File of a clip; `full` for the six grasps that are kept at full length."""
        return self.root / ("full" if full else "clips") / f"{grasp}_{finger}.avi"

    def clip(self, grasp: str, finger: str, *, full: bool = False) -> np.ndarray:
        """Frames `(T, 240, 320, 3) uint8` RGB of one finger, "L" or "R".

        Raises:
            DataError: the clip is missing or cannot be read.
        """
        return read_video(self.path(grasp, finger, full=full))


def read_video(path: Path) -> np.ndarray:
    """Read all frames of a video, `(T, H, W, 3) uint8` RGB.

    Raises:
        DataError: the file is missing, or holds no frame that can be decoded.
    """
    capture = cv2.VideoCapture(str(require(path)))
    frames = []
    try:
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()
    if not frames:
        raise DataError("no frame can be read", where=str(path), expected="a video")
    return np.stack(frames)
