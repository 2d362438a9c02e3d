"""Acceleration and angular rate of people's watches and phones, labelled by activity.

Source: Matey-Sanz et al. 2023, doi 10.1016/j.dib.2023.109809, CC BY 4.0. About 100 Hz, irregular.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.files import require

DEVICES = {"watch": "sw", "phone": "sp"}


@dataclass(frozen=True, slots=True)
class Run:
    """One walk of one person with one device; hold out whole people (`person`)."""

    name: str
    person: str
    data: np.ndarray
    """`(N, 6) float32`: specific force in m/s², then angular rate in rad/s."""
    stamps_ns: np.ndarray
    """`(N,) int64`, of 1 ms resolution; several samples may share one stamp."""
    labels: np.ndarray
    """`(N,) uint8`, index into `ImuActivity.labels`."""


class ImuActivity:
    """The data set in a folder.

    Raises:
        DataError: `meta.json` is missing, or there is no person's file.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        meta = json.loads(require(self.root / "meta.json").read_text(encoding="utf-8"))
        self.labels: tuple[str, ...] = tuple(meta["labels"])
        self.people = tuple(sorted(path.stem for path in self.root.glob("s[0-9][0-9].npz")))
        if not self.people:
            raise DataError("no person's file", where=str(self.root), expected="sNN.npz")

    def runs(self, person: str, device: str = "watch") -> list[Run]:
        """All runs of one person, such as "s01", with the "watch" or the "phone".

        Raises:
            DataError: the person's file is missing or lacks an array.
        """
        path = require(self.root / f"{person}.npz")
        suffix = f"_{DEVICES[device]}_x"
        with np.load(path) as arrays:
            prefixes = sorted(k[: -len("_x")] for k in arrays.files if k.endswith(suffix))
            if not prefixes:
                raise DataError(
                    f"no run of the {device}", where=str(path), expected=f"arrays *{suffix}"
                )
            return [
                Run(
                    name=prefix,
                    person=person,
                    data=np.ascontiguousarray(arrays[f"{prefix}_x"], np.float32),
                    stamps_ns=arrays[f"{prefix}_t"].astype(np.int64) * 1_000_000,
                    labels=arrays[f"{prefix}_y"],
                )
                for prefix in prefixes
            ]
