"""What an experiment is: variants that are trained alike, and how each is asked, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xmodal_ros.data.visual_tactile.example import CAMERA
from xmodal_ros.train.touch.settings import TouchSettings

SEEN, FELT = "camera", "touch"
"""The senses; all gels are one."""


@dataclass(frozen=True)
class Condition:
    """How a trained network is asked. Nothing is trained for it, but for `adapt`."""

    title: str = ""
    drop: str = ""
    """Sense that is absent."""
    noisy: tuple[str, ...] = ()
    """Senses whose images get Gaussian noise."""
    sigma: float = 0.0
    """Its standard deviation, grey levels."""
    on: int | None = None
    """Place of the data set that is asked about; None for what was trained on."""
    adapt: bool = False
    """Whether the adapters' statistics become those of the unlabelled training part of `on`."""


@dataclass(frozen=True)
class Variant:
    """One network, trained with each seed."""

    title: str
    overrides: tuple[str, ...] = ()
    """Of `TouchSettings`, as `group.name=value`."""
    encoder: str = ""
    """What `xmodal pretrain` wrote, a file or folder; empty for what the settings say."""
    data: tuple[int, ...] = ()
    """Places of the data sets that it is trained on; empty for all."""
    conditions: tuple[Condition, ...] = (Condition(),)


@dataclass(frozen=True)
class Experiment:
    """A question, and the variants that answer it."""

    question: str
    variants: tuple[Variant, ...]
    compared: bool = False
    """Whether every variant is compared with the first one, and its seeds are put together."""
    baselines: bool = False
    """Whether simple models are scored as well."""
    trains: bool = True
    """False where only time and parameters are measured."""
    notes: tuple[str, ...] = ()
    """What a reader of the table has to know."""


@dataclass(frozen=True)
class Given:
    """What a user gave, from which an experiment is put together."""

    data: tuple[str, ...]
    """Names of the data sets."""
    streams: tuple[frozenset[str], ...]
    """Of each data set."""
    settings: TouchSettings
    """What all variants share."""
    encoders: tuple[str, ...] = ()
    """What `xmodal pretrain` wrote; the first one is every variant's that does not say else."""
    mvitac: str = ""
    """The same, with MViTac's objective."""

    @property
    def encoder(self) -> str:
        """The first encoder, empty for what the settings say."""
        return self.encoders[0] if self.encoders else ""

    @property
    def senses(self) -> dict[str, tuple[str, ...]]:
        """Streams of each sense, of all data sets or of those that the settings name."""
        known = sorted(frozenset().union(*self.streams))
        return by_sense([s for s in known if s in (self.settings.heads.streams or known)])


def by_sense(streams: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Streams of each sense; one without any is absent."""
    found = {
        SEEN: tuple(s for s in streams if s == CAMERA),
        FELT: tuple(s for s in streams if s != CAMERA),
    }
    return {sense: names for sense, names in found.items() if names}
