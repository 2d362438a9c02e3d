"""How objects are picked: the hand's forces, and what is done with an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.errors import SettingsError


@dataclass(frozen=True)
class PickSettings:
    """The same for all strategies; see `tree.STRATEGIES`."""

    force_low_n: float = setting(
        1.2, "weakest grip per finger that is chosen beforehand", unit="N", low=0.5, high=40.0
    )
    force_high_n: float = setting(
        10.0, "strongest grip that is chosen beforehand", unit="N", low=0.5, high=40.0
    )
    strongest_n: float = setting(
        10.0, "strongest grip after an answer", unit="N", low=0.5, high=40.0
    )
    stronger: float = setting(
        2.0, "a tighter grip is so many times as strong as the last", low=1.01, high=10.0
    )
    attempts: int = setting(3, "most grasps of one object", low=1, high=10)
    threshold: float = setting(
        0.8,
        "hold from this probability on, regrasp below 1 less it, tighten between",
        low=0.5,
        high=1.0,
    )
    agree: int = setting(4, "answers in a row that have to be hold for a lift", low=1, high=10)
    answer_s: float = setting(
        0.35, "longest wait for an answer, simulated", unit="s", low=0.1, high=10.0
    )

    def __post_init__(self) -> None:
        validate(self, "pick")
        for low, high in (("force_low_n", "force_high_n"), ("force_high_n", "strongest_n")):
            if getattr(self, low) > getattr(self, high):
                raise SettingsError(
                    f"got {getattr(self, low):g} N",
                    where=f"pick.{low}",
                    expected=f"at most pick.{high}, {getattr(self, high):g} N",
                )

    @property
    def tightenings(self) -> int:
        """Tightenings that take the weakest grip to the strongest."""
        return math.ceil(math.log(self.strongest_n / self.force_low_n) / math.log(self.stronger))

    def force(self, seed: int, number: int) -> float:
        """Grip per finger in N that is chosen before pick `number` in the cell of a seed."""
        limits = np.log([self.force_low_n, self.force_high_n])
        return float(np.exp(np.random.default_rng([seed, number]).uniform(*limits)))

    def tighter(self, force_n: float) -> float:
        """The next grip after one of `force_n`."""
        return min(force_n * self.stronger, self.strongest_n)
