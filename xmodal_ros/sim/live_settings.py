"""Settings of the live cell: how it runs, and the groups of `settings` that episodes have, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from xmodal_ros.core.declare import Described, describe, from_mapping, setting, validate
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.settings import GROUPS, SimSettings, sim_settings


@dataclass(frozen=True)
class RunSettings:
    """How the cell runs as a node."""

    seed: int = setting(0, "of everything; the same gives the same messages", low=0)
    autonomous: bool = setting(
        True,
        "run the scripted robot, with other objects after each episode; else `~/move_arm` "
        "commands it",
    )
    aim_errors: bool = setting(
        False,
        "let the commanded robot aim as badly as the script: policy.aim_error_m, "
        "policy.aim_error_rad, policy.blunder_share",
    )
    streams: str = setting(
        "camera,tactile_left,tactile_right,imu,lidar",
        "sensors to publish, with commas between; there is camera_wrist, too",
    )
    clock: bool = setting(
        False, "publish the simulated time on /clock, for nodes with use_sim_time"
    )
    rate: float = setting(
        1.0,
        "simulated seconds per second at most; other than 1 needs clock",
        low=0.01,
        high=1000.0,
    )
    lock_step: bool = setting(
        False,
        "wait until the perception node is done with each message, instead of the real time",
    )
    perception: str = setting("/perception", "node to be in lock-step with")
    diagnostics_period_s: float = setting(
        1.0, "time between diagnostics", unit="s", low=0.1, high=60.0
    )

    def __post_init__(self) -> None:
        validate(self, "")
        if self.rate != 1.0 and not self.clock:
            raise SettingsError(
                f"got {self.rate:g}",
                where="rate",
                expected="1 where the stamps are the machine's time",
                do="Set 'clock', and use_sim_time of all other nodes",
            )

    @property
    def sensors(self) -> tuple[str, ...]:
        """Names in `streams`."""
        return tuple(name.strip() for name in self.streams.split(",") if name.strip())


@dataclass(frozen=True)
class CellSettings:
    """Everything that can be set about the live cell."""

    run: RunSettings
    sim: SimSettings


_OWN_DEFAULTS = {"topics.jpeg_quality": 0}
"""What differs from a data set: as drivers do, the live cell sends raw images."""
_SAID_BY_STREAMS = "camera_wrist.enabled"


def cell_settings(values: Mapping[str, Any]) -> CellSettings:
    """Settings from values by full name, such as "seed" or "scene.objects".

    Raises:
        SettingsError: an unknown name, a wrong type or a value out of its range.
    """
    run: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for name, value in {**_OWN_DEFAULTS, **values}.items():
        group, dot, key = name.partition(".")
        if dot:
            groups.setdefault(group, {})[key] = value
        else:
            run[name] = value
    return CellSettings(from_mapping(RunSettings, run, ""), sim_settings(groups))


def rows() -> Iterator[tuple[Described, Any]]:
    """Every setting by its full name, with its default."""
    for row in describe(RunSettings):
        yield row, row.default
    for group, instance in GROUPS.items():
        defaults = asdict(instance)
        for row in describe(type(instance), f"{group}."):
            if row.name != _SAID_BY_STREAMS:
                default = defaults[row.name.partition(".")[2]]
                yield row, _OWN_DEFAULTS.get(row.name, default)
