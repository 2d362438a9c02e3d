"""Settings from a YAML file, a ROS parameter file among them, and `name=value` overrides."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from xmodal_ros.core.declare import from_mapping
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import DEFAULT_STREAMS, Settings

Settled = TypeVar("Settled", bound=Any)
"""A frozen dataclass whose fields are groups of settings."""
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
"""A number such as 1e-3 or 1.5e2, which YAML takes for text: it wants a point and a sign."""
PARAMETERS = "ros__parameters"
NOT_OURS = ("use_sim_time", "qos_overrides", "start_type_description_service")
"""Parameters of any node: nothing to an offline run, `node_parameters` to a live one."""


def load_settings(path: Path | None, overrides: Sequence[str] = ()) -> Settings:
    """Settings from a file, then `sync.timeout_s=0.2` or `streams.camera.topic=/name` on top.

    Args:
        path: YAML in the nested form of `Settings.from_mapping`, or a ROS parameter file; None
            for defaults.
        overrides: One setting each. Naming a stream's setting keeps the other streams.

    Raises:
        SettingsError: the file cannot be read, or a setting is unknown or out of range.
    """
    settings = Settings.from_mapping(_read(path) if path else {})
    if not overrides:
        return settings
    complete = settings.to_mapping()
    for override in overrides:
        name, value = assignment(override)
        *groups, last = name.split(".")
        place: Any = complete
        for group in groups:
            place = place.setdefault(group, {}) if isinstance(place, dict) else None
        if not groups or not isinstance(place, dict):
            raise SettingsError(f"got '{override}'", where="--set", expected="group.name=value")
        place[last] = value
    return Settings.from_mapping(complete)


def assignment(text: str) -> tuple[str, Any]:
    """Name and value of `group.name=value`, whose value is YAML.

    Raises:
        SettingsError: it is none.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"got '{text}'", where="--set", expected="group.name=value")
    return name, _value(value)


def grouped(overrides: Sequence[str], groups: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Values by group and name of `group.name=value` texts.

    Raises:
        SettingsError: one is none, or of another group.
    """
    known, values = list(groups), dict[str, dict[str, Any]]()
    for override in overrides:
        name, value = assignment(override)
        group, _, last = name.partition(".")
        if group not in known or not last:
            raise SettingsError(
                f"got '{override}'",
                where="--set",
                expected="group.name=value with one of the groups " + ", ".join(known),
            )
        values.setdefault(group, {})[last] = value
    return values


def overridden(base: Settled, overrides: Sequence[str]) -> Settled:
    """Settings with `group.name=value` texts on top.

    Args:
        base: What they change.
        overrides: The texts.

    Raises:
        SettingsError: a group or setting is unknown, or a value is out of range.
    """
    groups: dict[str, Any] = {f.name: getattr(base, f.name) for f in dataclasses.fields(base)}
    return regrouped(base, grouped(overrides, groups))


def regrouped(base: Settled, values: Mapping[str, Mapping[str, Any]]) -> Settled:
    """Settings with other values by group and name.

    Raises:
        SettingsError: a setting is unknown, or a value is out of range.
    """
    made = {}
    for name, given in values.items():
        group = getattr(base, name)
        made[name] = from_mapping(type(group), {**dataclasses.asdict(group), **given}, name)
    return dataclasses.replace(base, **made)


def node_parameters(path: Path) -> dict[str, Any]:
    """Those of `NOT_OURS` that a ROS parameter file sets, by their full names.

    Raises:
        SettingsError: as `load_settings`.
    """
    found = _parameters(read_yaml(path), path) or {}
    return {n: v for n, v in _flat(found) if n.partition(".")[0] in NOT_OURS}


def _read(path: Path) -> Mapping[str, Any]:
    values = read_yaml(path)
    parameters = _parameters(values, path)
    return values if parameters is None else _nested(parameters)


def read_yaml(path: Path) -> Mapping[str, Any]:
    """What a YAML file has, by name.

    Raises:
        SettingsError: it cannot be read, or has no names.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"cannot be read ({error})", where=str(path)) from error
    if not isinstance(values, dict):
        raise SettingsError("is no mapping", where=str(path), expected="sync: {...} and the like")
    return values


def _parameters(values: Mapping[str, Any], path: Path) -> Mapping[str, Any] | None:
    """The parameters of a ROS parameter file; None for a file in the nested form."""
    nodes = [v[PARAMETERS] for v in values.values() if isinstance(v, dict) and PARAMETERS in v]
    if len(nodes) > 1:
        raise SettingsError("is for several nodes", where=str(path), expected="parameters of one")
    return (nodes[0] or {}) if nodes else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters, with dots or nested, in the form of `Settings.from_mapping`."""
    groups: dict[str, Any] = {}
    for name, value in parameters.items():
        group, dot, setting = name.partition(".")
        if dot:
            groups.setdefault(group, {})[setting] = value
        elif isinstance(value, dict):
            groups.setdefault(group, {}).update(value)
        elif name not in (*NOT_OURS, "streams"):
            groups[name] = value
    names = parameters.get("streams", [stream.name for stream in DEFAULT_STREAMS])
    streams = {name: groups.pop(name, {}) for name in names}
    return {"streams": streams} | {n: v for n, v in groups.items() if n not in NOT_OURS}


def _value(text: str) -> Any:
    if _EXPONENT.fullmatch(text):
        return float(text)
    try:
        return yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        return text
