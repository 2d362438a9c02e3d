"""ROS parameters of a node, made from the settings classes and validated by them.

Names: `streams` (which streams there are), `<stream>.<setting>`, and `<group>.<setting>` for each
of `core.settings.GROUPS`. Defaults, units, ranges and descriptions come from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from xmodal_ros.core.declare import Described, describe
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import DEFAULT_STREAMS, GROUPS, Settings, StreamSettings

OTHERS = ("use_sim_time", "start_type_description_service", "qos_overrides")
"""Parameters of any node."""


def declare(node: Node) -> Settings:
    """Declare every setting as a parameter of `node` and return the settings they make.

    The node must have been created with `automatically_declare_parameters_from_overrides`, so
    that what a user set is validated as a whole, unknown names included, before anything else
    happens.

    Raises:
        SettingsError: an unknown name in one of our groups, a wrong type or a value out of its
        range.
    """
    settings = _settings(_nested(given(node), node.get_logger().warning))
    declare_rows(node, _rows(settings))
    names = ParameterDescriptor(description="names of the streams, unique", read_only=True)
    if node.has_parameter("streams"):
        node.undeclare_parameter("streams")
    node.declare_parameter(
        "streams", [s.name for s in settings.streams], names, ignore_override=True
    )
    return settings


def given(node: Node) -> dict[str, Any]:
    """Values of the parameters that `node` has, by their full names."""
    return {name: p.value for name, p in node.get_parameters_by_prefix("").items()}


def declare_rows(node: Node, rows: Iterable[tuple[Described, Any]]) -> None:
    """Declare settings with their values, in place of what was declared from overrides."""
    for row, value in rows:
        if node.has_parameter(row.name):
            node.undeclare_parameter(row.name)
        node.declare_parameter(row.name, value, _descriptor(row), ignore_override=True)


def on_change(node: Node, apply: Callable[[Settings], None]) -> None:
    """Refuse changes to settings that are not valid, with the reason; `apply` the others."""

    def check(changed: Sequence[Parameter]) -> SetParametersResult:
        try:
            current(node, changed)
        except SettingsError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    node.add_post_set_parameters_callback(lambda _: apply(current(node)))


def current(node: Node, changed: Sequence[Parameter] = ()) -> Settings:
    """The settings that `node`'s parameters make, with `changed` taking effect.

    Raises:
        SettingsError: together they are not valid.
    """
    values = given(node)
    values.update({p.name: p.value for p in changed})
    return _settings(_nested(values, lambda _: None))


def overrides(values: Mapping[str, Any]) -> list[Parameter]:
    """Turn the nested form that `Settings.from_mapping` reads into parameter overrides."""
    flat = {
        f"{group}.{name}": value
        for group, settings in values.items()
        if group != "streams"
        for name, value in settings.items()
    }
    if streams := values.get("streams"):
        flat["streams"] = list(streams)
        for stream, settings in streams.items():
            flat.update({f"{stream}.{name}": value for name, value in (settings or {}).items()})
    return [Parameter(name, value=value) for name, value in flat.items()]


def _settings(nested: Mapping[str, Any]) -> Settings:
    """Build settings; an error names a stream's setting as its parameter is named."""
    try:
        return Settings.from_mapping(nested)
    except SettingsError as error:
        where = error.where.removeprefix("streams.")
        raise SettingsError(
            error.what, where=where, expected=error.expected, do=error.do
        ) from None


def _rows(settings: Settings) -> Iterator[tuple[Described, Any]]:
    """Every setting with its full parameter name, and its value."""
    for group, cls in GROUPS.items():
        for row in describe(cls, f"{group}."):
            yield row, getattr(getattr(settings, group), row.name.split(".")[1])
    for stream in settings.streams:
        for row in describe(StreamSettings, f"{stream.name}."):
            setting = row.name.split(".")[1]
            if setting != "name":
                yield row, getattr(stream, setting)


def _descriptor(row: Described) -> ParameterDescriptor:
    unit = f" [{row.unit}]" if row.unit else ""
    made = ParameterDescriptor(description=row.doc + unit, read_only=row.read_only)
    if row.choices:
        made.additional_constraints = "one of " + ", ".join(repr(c) for c in row.choices)
    if row.low is not None and row.high is not None:
        if isinstance(row.default, int):
            limits = IntegerRange(from_value=int(row.low), to_value=int(row.high), step=1)
            made.integer_range = [limits]
        else:
            bounds = FloatingPointRange(from_value=float(row.low), to_value=float(row.high))
            made.floating_point_range = [bounds]
    # Static typing would refuse a whole number where a fraction is possible.
    made.dynamic_typing = isinstance(row.default, float)
    return made


def _nested(flat: Mapping[str, Any], warn: Callable[[str], Any]) -> dict[str, Any]:
    """The nested form that `Settings.from_mapping` reads."""
    streams = flat.get("streams", [s.name for s in DEFAULT_STREAMS])
    if not isinstance(streams, (list, tuple)) or not all(isinstance(s, str) for s in streams):
        raise SettingsError(f"got {streams!r}", where="streams", expected="a list of names")
    if not streams:
        raise SettingsError("no stream is named", where="streams", expected="at least one stream")
    if len(set(streams)) < len(streams):
        raise SettingsError(
            "a stream is named twice", where="streams", expected="one entry per name"
        )
    for name in streams:
        if name in GROUPS or not name.isidentifier():
            groups = ", ".join(GROUPS)
            raise SettingsError(
                f"'{name}' cannot name a stream",
                where="streams",
                expected=f"letters, digits and underscores, and none of {groups}",
            )
    nested: dict[str, Any] = {"streams": {name: {} for name in streams}}
    for name, value in flat.items():
        group, _, setting = name.partition(".")
        if group in nested["streams"]:
            nested["streams"][group][setting] = value
        elif group in GROUPS:
            nested.setdefault(group, {})[setting] = value
        elif group not in OTHERS and group != "streams":
            known = ", ".join(["streams", *streams, *GROUPS])
            warn(f"parameter '{name}' is ignored: it is in none of the known groups: {known}")
    return nested
