"""Whether two runs gave the same predictions, bit for bit, but for how long they took."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xmodal_ros.data.recording import Recording

Answers = Mapping[tuple[str, int], Any]
"""What was answered, without latencies, by (head, stamp in ns)."""


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

    @property
    def complete(self) -> bool:
        """Whether both answered the same stamps, all bit-equal, and there was at least one."""
        return 0 < self.first == self.second == self.common == self.equal


def compare(first: Answers, second: Answers) -> Parity:
    """Compare the answers of two runs."""
    common = first.keys() & second.keys()
    equal = sum(first[key] == second[key] for key in common)
    return Parity(len(first), len(second), len(common), equal)


def read_answers(path: Path) -> Answers:
    """Answers of a recording of predictions; the head is the last part of the topic's name."""
    with Recording(path) as recording:
        return answers((topic, message) for topic, _, _, message in recording.messages())


def answers(messages: Iterable[tuple[str, Any]]) -> Answers:
    """Answers among (topic, message), whichever library made the messages."""
    found = {}
    for topic, message in messages:
        if hasattr(message, "info"):
            stamp = message.header.stamp
            key = (topic.rpartition("/")[2], stamp.sec * 1_000_000_000 + stamp.nanosec)
            found[key] = _bits(message)
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
