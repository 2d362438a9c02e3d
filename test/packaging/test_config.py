"""The deployments in config/: valid, and with overrides only."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import pytest
import yaml

from xmodal_ros.core.settings import DEFAULT_STREAMS, GROUPS, Settings

CONFIG = Path(__file__).resolve().parents[2] / "config"


def _nested(path: Path) -> dict[str, Any]:
    """A parameter file in the form that Settings reads."""
    [parameters] = yaml.safe_load(path.read_text()).values()
    body = parameters["ros__parameters"]
    streams = {name: body.get(name) or {} for name in body["streams"]}
    assert set(body) <= {"streams", *streams, *GROUPS}
    return {"streams": streams, **{name: body[name] for name in GROUPS if name in body}}


CELL = CONFIG / "simulated_cell.yaml"
PERCEPTION = sorted(set(CONFIG.glob("*.yaml")) - {CELL})


@pytest.mark.parametrize("path", PERCEPTION, ids=lambda path: path.stem)
def test_deployments_are_valid_and_repeat_no_default(path: Path) -> None:
    nested = _nested(path)
    settings = Settings.from_mapping(nested).to_mapping()
    default = Settings().to_mapping()
    for group in GROUPS:
        for name, value in nested.get(group, {}).items():
            assert settings[group][name] == value != default[group][name], name
    known = {stream.name for stream in DEFAULT_STREAMS}
    for stream, values in nested["streams"].items():
        for name, value in values.items():
            assert stream not in known or value != default["streams"][stream][name], name


def test_the_simulated_cells_is_valid_and_repeats_no_default() -> None:
    pytest.importorskip("mujoco", reason="the simulation's packages are not there")
    from xmodal_ros.sim.settings import GROUPS as SIM_GROUPS
    from xmodal_ros.sim.settings import sim_settings

    [parameters] = yaml.safe_load(CELL.read_text()).values()
    values = parameters["ros__parameters"]
    sim_settings(values)
    for group, settings in values.items():
        for name, value in settings.items():
            assert value != getattr(SIM_GROUPS[group], name), f"{group}.{name}"


def test_the_fast_dds_profile_holds_several_large_messages() -> None:
    root = xml.parse(CONFIG / "fastdds.xml").getroot()
    [segment] = [e.text for e in root.iter() if e.tag.endswith("segment_size")]
    assert int(segment or 0) == 16 * 1024 * 1024
