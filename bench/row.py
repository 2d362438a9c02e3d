"""What a benchmark row is, and how two pieces of work are compared."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

REPEATS = 7


@dataclass(frozen=True)
class Row:
    """One comparison: `ratios` of repeated side-by-side measurements, held against a bound."""

    name: str
    what: str
    against: str
    unit: str
    ours: float
    """Median of our measurements, in `unit`."""
    theirs: float | None
    """Median of theirs; None where ours is held against the bound itself."""
    ratios: tuple[float, ...]
    """What is held, one per repeat: ours over theirs, or ours where there is no other."""
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""
    details: dict[str, float] = field(default_factory=dict)
    load_before: float | None = None
    """Of the machine, where the row was not measured in a run of all."""

    @property
    def median(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        """Whether the median keeps the bound."""
        return (self.at_most is None or self.median <= self.at_most) and (
            self.at_least is None or self.median >= self.at_least
        )

    @property
    def hold(self) -> str:
        """The bound in words."""
        return f"<= {self.at_most:g}" if self.at_most is not None else f">= {self.at_least:g}"

    def to_mapping(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {**asdict(self), "median": self.median, "hold": self.hold, "met": self.met}

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Row:
        """The row that `to_mapping` wrote."""
        derived = ("median", "hold", "met")
        given = {k: v for k, v in values.items() if k not in derived}
        return cls(**{**given, "ratios": tuple(given["ratios"])})


@dataclass(frozen=True)
class Skipped:
    """A row that cannot be measured here, and why."""

    name: str
    reason: str


def repeat(work: Callable[[Any], Any], argument: Any, times: int) -> Callable[[], None]:
    """Work that is long enough to be measured."""

    def repeated() -> None:
        for _ in range(times):
            work(argument)

    return repeated


def timed(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Time of one call without garbage collection."""
    gc.collect()
    gc.disable()
    try:
        begun = clock()
        work()
        return clock() - begun
    finally:
        gc.enable()


def side_by_side(
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.process_time,
) -> tuple[list[float], list[float]]:
    """Times of both in turns; the first turn is not counted.

    The clock is CPU time, which other processes disturb least, unless the work is meant to use
    several threads.
    """
    ours(), theirs()
    pairs = [(timed(ours, clock), timed(theirs, clock)) for _ in range(repeats)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def compare(
    name: str,
    what: str,
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    unit: str,
    scale: float,
    **held: Any,
) -> Row:
    """A row of the ratios ours / theirs; `scale` turns measurements into `unit`."""
    return Row(
        name,
        what,
        against,
        unit,
        statistics.median(ours) * scale,
        statistics.median(theirs) * scale,
        tuple(a / b for a, b in zip(ours, theirs, strict=True)),
        **held,
    )
