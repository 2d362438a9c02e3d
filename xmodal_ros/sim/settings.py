"""Everything a simulated episode is made with, by groups of settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from xmodal_ros.core.declare import from_mapping
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.data.settings_file import grouped
from xmodal_ros.sim.camera import CameraSettings
from xmodal_ros.sim.episode import CLOCKS, EpisodeSettings
from xmodal_ros.sim.imu import ImuSettings
from xmodal_ros.sim.lidar import LidarSettings
from xmodal_ros.sim.rig import GelSettings, RigSettings, WristCameraSettings
from xmodal_ros.sim.scene import SceneSettings
from xmodal_ros.sim.skills import PolicySettings
from xmodal_ros.sim.topics import TopicSettings

GROUPS: dict[str, Any] = {
    "scene": SceneSettings(),
    "policy": PolicySettings(),
    "camera": CameraSettings(),
    "camera_wrist": WristCameraSettings(),
    "gel": GelSettings(),
    "lidar": LidarSettings(),
    "imu": ImuSettings(),
    "topics": TopicSettings(),
    **{f"{stream}_clock": settings for stream, settings in CLOCKS.items()},
}
"""Defaults of every group of settings, by its name."""


@dataclass(frozen=True)
class SimSettings:
    """What episodes are made with."""

    scene: SceneSettings = field(default_factory=SceneSettings)
    rig: RigSettings = field(default_factory=RigSettings)
    episode: EpisodeSettings = field(default_factory=EpisodeSettings)
    topics: TopicSettings = field(default_factory=TopicSettings)


def sim_settings(values: Mapping[str, Mapping[str, Any]]) -> SimSettings:
    """Settings from values by group and name; what is not named keeps its default.

    Raises:
        SettingsError: unknown group or setting, or a value out of its range.
    """
    for group in values:
        if group not in GROUPS:
            known = ", ".join(GROUPS)
            raise SettingsError(
                f"unknown group '{group}'", where="sim", expected=f"one of {known}"
            )
    made: dict[str, Any] = {
        name: _group(name, {**asdict(default), **values.get(name, {})})
        for name, default in GROUPS.items()
    }
    sensors = ("camera", "camera_wrist", "gel", "lidar")
    clocks = {stream: made[f"{stream}_clock"] for stream in CLOCKS}
    return SimSettings(
        scene=made["scene"],
        rig=RigSettings(**{name: made[name] for name in sensors}),
        episode=EpisodeSettings(policy=made["policy"], imu=made["imu"], clocks=clocks),
        topics=made["topics"],
    )


def _group(name: str, values: Mapping[str, Any]) -> Any:
    """Settings of one group; an error names them as the group does, clocks too."""
    try:
        return from_mapping(type(GROUPS[name]), values, name)
    except SettingsError as error:
        key = error.where.rpartition(".")[2]
        where = name if error.where == name else f"{name}.{key}"
        raise SettingsError(
            error.what, where=where, expected=error.expected, do=error.do
        ) from None


def read_overrides(overrides: Sequence[str]) -> SimSettings:
    """Defaults with `group.name=value` on top, such as `scene.materials=wood,denim`.

    Raises:
        SettingsError: as `sim_settings`, or an override is of another form.
    """
    return sim_settings(grouped(overrides, GROUPS))
