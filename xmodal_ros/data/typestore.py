"""Message types for recordings, without ROS: those of Jazzy, our own from their `.msg` text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat, Nodetype
from rosbags.typesys import (
    Stores,
    TypesysError,
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
)
from rosbags.typesys.store import Typestore

from xmodal_ros.core.errors import DataError

PACKAGE = "xmodal_msgs"
_ZEROS = {"string": "", "bool": False}
_NUMPY = {"byte": "uint8", "char": "uint8"}  # names of ROS that numpy means otherwise


@lru_cache(maxsize=1)
def default_typestore() -> Typestore:
    """The types of ROS 2 Jazzy and of `xmodal_msgs`; not to be changed.

    Raises:
        DataError: the definitions of `xmodal_msgs` are not found.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    for path in _definitions():
        text = path.read_text(encoding="utf-8")
        store.register(get_types_from_msg(text, f"{PACKAGE}/msg/{path.stem}"))
    return store


@lru_cache(maxsize=8)  # a recording is often opened again, and parsing takes a while
def recorded_types(
    definitions: tuple[tuple[str, MessageDefinition], ...],
) -> tuple[Typestore, frozenset[str]]:
    """Types as the recording defines them, else as we know them; and those that nobody defines."""
    embedded: dict[str, Any] = {}
    for kind, definition in definitions:
        with suppress(TypesysError):  # of a definition that cannot be read, ours is used
            if definition.format == MessageDefinitionFormat.MSG:
                embedded.update(get_types_from_msg(definition.data, kind))
            elif definition.format == MessageDefinitionFormat.IDL:
                embedded.update(get_types_from_idl(definition.data))
    kinds = {kind for kind, _ in definitions}
    if not kinds <= embedded.keys():  # recordings before ROS 2 Iron carry no definitions
        embedded = {**default_typestore().fielddefs, **embedded}
    store = get_typestore(Stores.EMPTY)
    store.register(embedded)
    return store, frozenset(kinds - store.fielddefs.keys())


def make_message(store: Typestore, type_name: str, fields: Mapping[str, Any]) -> Any:
    """Build a rosbags message from nested mappings; a field that is not named gets its zero.

    Raises:
        DataError: the type has no field of such a name.
    """
    definitions = dict(store.fielddefs[type_name][1])
    unknown = [name for name in fields if name not in definitions]
    if unknown:
        raise DataError(
            "no field " + ", ".join(unknown),
            where=type_name,
            expected="one of " + ", ".join(definitions),
        )
    values = {n: _value(store, d, fields.get(n)) for n, d in definitions.items()}
    return store.types[type_name](**values)


def _value(store: Typestore, description: Any, value: Any) -> Any:
    """One field's value; None for its zero."""
    kind, detail = description
    if kind == Nodetype.NAME:
        return make_message(store, detail, value or {})
    if kind == Nodetype.BASE:
        return _ZEROS.get(detail[0], 0) if value is None else value
    element, length = detail
    if value is None:
        value = [None] * (length if kind == Nodetype.ARRAY else 0)
    if element[0] == Nodetype.BASE and element[1][0] != "string":
        if isinstance(value, list) and None in value:
            value = [0] * length
        return np.asarray(value, _NUMPY.get(element[1][0], element[1][0]))
    return [_value(store, element, item) for item in value]


def _definitions() -> list[Path]:
    """Our `.msg` files: of the source tree, else of the first installed package."""
    folders = [Path(__file__).parents[2] / PACKAGE / "msg"]
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    folders += [Path(prefix) / "share" / PACKAGE / "msg" for prefix in prefixes if prefix]
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folders += [parent / "share" / PACKAGE / "msg" for parent in Path(place).parents]
    for folder in folders:
        paths = sorted(folder.glob("*.msg"))
        if paths:
            return paths
    raise DataError(
        "its message definitions are not found",
        where=PACKAGE,
        do="Run from the source tree, or build the package and source its workspace.",
    )
