"""Settings of the simulation by groups, and what is refused."""

from __future__ import annotations

import pytest

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.sim.settings import SimSettings, read_overrides, sim_settings


def test_nothing_said_is_the_defaults() -> None:
    assert sim_settings({}) == SimSettings()


def test_overrides_go_to_their_groups() -> None:
    made = read_overrides(["scene.materials=wood,denim", "gel.width=160", "imu_clock.rate_hz=200"])
    assert made.scene.materials == "wood,denim"
    assert (made.rig.gel.width, made.rig.gel.height) == (160, 240)
    assert made.episode.clocks["imu"].rate_hz == 200.0
    assert made.episode.clocks["camera"] == SimSettings().episode.clocks["camera"]
    before = SimSettings().episode.clocks["imu"]
    assert made.episode.clocks["imu"].jitter_s == before.jitter_s


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("gel", r"--set: got 'gel'; expected group\.name=value"),
        ("radar.range=3", r"--set: got 'radar\.range=3'; .* one of the groups scene, policy,"),
        ("gel.wide=3", r"gel: unknown setting 'wide'. Did you mean 'width'\?"),
        ("gel.width=3", r"gel\.width: got 3; expected a value from 32 to 1280 px"),
        ("topics.jpeg_quality=101", r"topics\.jpeg_quality: got 101"),
    ],
)
def test_what_is_wrong_is_named(override: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        read_overrides([override])


def test_an_unknown_group_is_told_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"sim: unknown group 'radar'; expected one of scene,"):
        sim_settings({"radar": {"range": 3}})
