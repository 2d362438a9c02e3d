"""Whether two runs gave the same predictions, bit for bit, but for how long they took."""

from __future__ import annotations

import dataclasses
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.data.recording import Recording

Answers = Mapping[tuple[str, int], Mapping[str, Any]]
"""What was answered, by (head, stamp in ns) and field, without latencies."""


@dataclass(frozen=True)
class Parity:
    """How the answers of two runs compare."""

    first: int
    """Answers of the first run."""
    second: int
    common: int
    """Stamps of heads that both answered."""
    equal: int
    """Of those in common, bit-equal ones."""
    differing: Mapping[str, int]
    """By field, in how many of those in common it differs."""

    @property
    def complete(self) -> bool:
        """Whether both answered the same stamps, all bit-equal, and there was at least one."""
        return 0 < self.first == self.second == self.common == self.equal


def compare(first: Answers, second: Answers) -> Parity:
    """Compare the answers of two runs."""
    common = first.keys() & second.keys()
    apart = [
        [name for name, bits in first[key].items() if bits != second[key].get(name)]
        for key in common
    ]
    differing = Counter(name for names in apart for name in names)
    equal = sum(not names for names in apart)
    return Parity(len(first), len(second), len(common), equal, dict(differing))


def read_answers(path: Path) -> Answers:
    """Answers of a recording of predictions; the head is the last part of the topic's name."""
    found = {}
    with Recording(path) as recording:
        for topic, _, _, message in recording.messages():
            if hasattr(message, "info"):
                stamp = message.header.stamp
                key = (topic.rpartition("/")[2], stamp.sec * 1_000_000_000 + stamp.nanosec)
                fields = (field.name for field in dataclasses.fields(message))
                found[key] = {name: _bits(getattr(message, name)) for name in fields}
    return found


def _bits(value: Any) -> Any:
    """A value that is equal only if every bit is, NaN included; latencies are left out."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.dtype != object else tuple(map(_bits, value))
    if isinstance(value, (list, tuple)):
        return tuple(map(_bits, value))
    if dataclasses.is_dataclass(value):
        fields = (f.name for f in dataclasses.fields(value))
        return tuple(_bits(getattr(value, n)) for n in fields if not n.startswith("latency"))
    return value
