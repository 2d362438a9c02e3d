"""Fields as nested mappings (`data.encode`) to rclpy messages."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from xmodal_ros.ros.messages import message_class

T = TypeVar("T")


def fill(kind: type[T], fields: Mapping[str, Any]) -> T:
    """Make a message of class `kind`; fields that are not named keep their defaults.

    Raises:
        AttributeError: `kind` has no such field.
    """
    message = kind()
    for name, value in fields.items():
        if isinstance(value, Mapping):
            value = fill(type(getattr(message, name)), value)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            element = _element_class(kind, name)
            value = [fill(element, v) for v in value]
        elif isinstance(value, np.ndarray):
            # An array of the field's type is taken as it is; a list is checked element by element.
            # Fields of fixed length are numpy's, the others Python's own arrays.
            field = getattr(message, name)
            if not isinstance(field, np.ndarray):
                value = array(field.typecode, value.tobytes())
        setattr(message, name, value)
    return message


def _element_class(kind: Any, field: str) -> Any:
    """Class of the elements of a sequence of messages."""
    names = list(kind.get_fields_and_field_types())
    element = kind.SLOT_TYPES[names.index(field)].value_type
    return message_class("/".join((*element.namespaces, element.name)))
