"""Declares settings: dataclass fields that carry unit, range and description, and their checks.

Parameters of the node, YAML keys, command-line options and documentation are all read from the
fields that `setting` makes. `from_mapping` builds settings from YAML or ROS parameters and refuses
what it does not know.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from xmodal_ros.core.errors import SettingsError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Described:
    """What a person and a parameter server want to know of one setting."""

    name: str
    default: Any
    doc: str
    unit: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    read_only: bool


def setting(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    read_only: bool = True,
) -> Any:
    """Declare a field of a settings dataclass; not `read_only` where a running node applies it."""
    meta = {
        "doc": doc,
        "unit": unit,
        "low": low,
        "high": high,
        "choices": tuple(choices),
        "read_only": read_only,
    }
    return field(default=default, metadata=meta)


def describe(cls: type, prefix: str = "") -> Iterator[Described]:
    """Yield one row per setting of a settings class."""
    for f in fields(cls):
        yield Described(name=prefix + f.name, default=f.default, **f.metadata)


KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def validate(settings: Any, where: str) -> None:
    """Check every field of `settings` against its declared type, range and choices.

    Raises:
        SettingsError: names the setting, what was expected and what was given.
    """
    for f in fields(settings):
        value, name = getattr(settings, f.name), f"{where}.{f.name}" if where else f.name
        low, high, choices = (f.metadata.get(k) for k in ("low", "high", "choices"))
        kind = type(f.default)
        accepted = (int, float) if kind is float else kind
        if isinstance(value, bool) is not (kind is bool) or not isinstance(value, accepted):
            expected = KINDS.get(kind, kind.__name__)
            raise SettingsError(f"got {value!r}", where=name, expected=expected)
        if choices and value not in choices:
            raise SettingsError(
                f"got {value!r}", where=name, expected="one of " + ", ".join(choices)
            )
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            unit = f" {f.metadata['unit']}" if f.metadata["unit"] else ""
            bounds = (
                f"a value from {low} to {high}{unit}"
                if None not in (low, high)
                else (f"at least {low}{unit}" if low is not None else f"at most {high}{unit}")
            )
            raise SettingsError(f"got {value!r}", where=name, expected=bounds)


def from_mapping(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Build a settings dataclass from a mapping; whole numbers are accepted for float fields.

    Raises:
        SettingsError: unknown name (the nearest known one is suggested), wrong type or range.
    """
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise unknown("setting", name, known, where or cls.__name__)
    cast = {
        name: float(v) if isinstance(known[name].default, float) and type(v) is int else v
        for name, v in values.items()
    }
    return cls(**cast)


def unknown(kind: str, name: str, known: Iterable[str], where: str) -> SettingsError:
    """The error of a name that is not known: it tells the nearest one, or all."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else "Known: " + ", ".join(names)
    return SettingsError(f"unknown {kind} '{name}'", where=where, do=hint)
