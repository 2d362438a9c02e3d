"""Offsets of all streams to the anchor, each with its spread or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xmodal_ros.core.declare import setting, validate
from xmodal_ros.core.settings import Settings, StreamSettings
from xmodal_ros.core.types import Modality
from xmodal_ros.data.time_offsets.compare import Comparison, Motions, compare

INTERVAL = (5.0, 95.0)
"""Percentiles of the draws; half of what is between them, with `SHARED_S`, is the spread."""
SHARED_S = 0.002
"""What all recordings may have in common, so that no draw shows it. In the simulated cell a gel
gives way 5 ms late into its depth, 7.5 ms along its skin; a LiDAR's offset is 2 ms too large."""


@dataclass(frozen=True)
class OffsetSettings:
    """What is looked for, and what is believed."""

    search_s: float = setting(
        0.3, "largest offset that is looked for", unit="s", low=0.02, high=5.0
    )
    gel_lag_s: float = setting(
        0.0,
        "by how much the skin of a gel follows the force late: its damping over its stiffness",
        unit="s",
        low=0.0,
        high=0.2,
    )
    most_spread_s: float = setting(
        0.005,
        "an offset that is less certain than this is not given",
        unit="s",
        low=1e-4,
        high=1.0,
    )

    firm: float = setting(
        0.97,
        "least correlation of a gel: in the simulated cell, what sways or slides in the grip has "
        "up to 0.94 and is 6 to 40 ms late, what is held firmly has 0.98",
        low=0.0,
        high=1.0,
    )

    def __post_init__(self) -> None:
        validate(self, "calibrate-time")


@dataclass(frozen=True, eq=False, slots=True)
class Offset:
    """What was found of one stream."""

    stream: str
    seconds: float | None
    """`StreamSettings.offset_s` that puts its stamps on the anchor's clock; None with a `why`."""
    spread_s: float = 0.0
    """Half of the 90 % interval of the bootstrap, and `SHARED_S`."""
    why: str = ""
    """Why there is no offset."""
    comparison: Comparison | None = None
    """With the reference; of the reference itself there is none."""


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """What was found of all."""

    anchor: str
    reference: str
    """The stream that the others were compared with."""
    offsets: tuple[Offset, ...]
    """In the order of the streams; the anchor keeps its own."""


@dataclass(frozen=True, eq=False, slots=True)
class Lag:
    """What is added to a stream's stamps to be on the reference's clock."""

    draws_s: np.ndarray
    """By draw of windows."""
    seconds: float = 0.0
    comparison: Comparison | None = None
    why: str = ""
    """Why it is not known."""


def estimate(
    recordings: Sequence[Motions],
    settings: Settings,
    options: OffsetSettings,
    listener: Callable[[str], None] = lambda stream: None,
) -> Found:
    """Estimate the offset of each stream from all recordings together.

    Args:
        recordings: Motion of each, of the same sensors.
        settings: Those that it was read with: the streams and the offsets that they had.
        options: What is looked for.
        listener: Called before each comparison.
    """
    reference = _reference(recordings, settings)
    lags = {}
    for stream in settings.streams:
        listener(stream.name)
        if stream.name == reference:
            lags[stream.name] = Lag(np.zeros(1))
        else:
            comparison = compare(recordings, stream.name, reference, options.search_s)
            is_gel = stream.modality == Modality.TACTILE.value
            lags[stream.name] = _lag(comparison, options, options.firm if is_gel else 0.0)
    offsets = (_offset(stream, settings.anchor, lags, options) for stream in settings.streams)
    return Found(settings.anchor.name, reference, tuple(offsets))


def _reference(recordings: Sequence[Motions], settings: Settings) -> str:
    """The first IMU that is recorded, or else the anchor."""
    recorded = {name for motions in recordings for name in motions}
    imus = (s.name for s in settings.streams if s.modality == Modality.IMU.value)
    return next((name for name in imus if name in recorded), settings.anchor.name)


def _lag(comparison: Comparison | str, options: OffsetSettings, least: float) -> Lag:
    """What a comparison says, with the least correlation that is believed."""
    if isinstance(comparison, str):
        return Lag(np.zeros(1), why=comparison)
    why = _doubt(_spread(comparison.draws_s), options)
    if not why and comparison.correlation < least:
        why = f"goes with a correlation of {comparison.correlation:.2f} only: grip more firmly"
    if abs(comparison.lag_s) >= comparison.lags_s[-1]:
        why = f"goes best at the end of what is looked at, {1e3 * options.search_s:.0f} ms"
    return Lag(comparison.draws_s, comparison.lag_s, comparison, why)


def _offset(
    stream: StreamSettings,
    anchor: StreamSettings,
    lags: Mapping[str, Lag],
    options: OffsetSettings,
) -> Offset:
    """The offset of one stream to the anchor."""
    lag, of_anchor = lags[stream.name], lags[anchor.name]
    why = lag.why
    if not why and of_anchor.why:
        why = f"of the anchor, {anchor.name}: {of_anchor.why}"
    spread_s = 0.0 if stream is anchor else _spread(lag.draws_s - of_anchor.draws_s) + SHARED_S
    why = why or _doubt(spread_s, options)
    late_s = _late_s(stream, options) - _late_s(anchor, options)
    seconds = stream.offset_s + (lag.seconds - of_anchor.seconds + late_s)
    return Offset(stream.name, None if why else seconds, spread_s, why, lag.comparison)


def _late_s(stream: StreamSettings, options: OffsetSettings) -> float:
    """How late a sensor shows what moves it."""
    return options.gel_lag_s if stream.modality == Modality.TACTILE.value else 0.0


def _spread(draws_s: np.ndarray) -> float:
    low, high = np.percentile(draws_s, INTERVAL)
    return float(high - low) / 2


def _doubt(spread_s: float, options: OffsetSettings) -> str:
    if spread_s <= options.most_spread_s:
        return ""
    return f"only known to {1e3 * spread_s:.0f} ms: parts of the recordings disagree"
