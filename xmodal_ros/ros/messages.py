"""Message classes by the name of their type."""

from __future__ import annotations

import importlib
from typing import Any

from xmodal_ros.core.errors import DataError


def message_class(type_name: str) -> Any:
    """The class of a message type such as "sensor_msgs/msg/Image".

    Raises:
        DataError: the type's package is not installed here, or has no such type.
    """
    package, _, name = type_name.partition("/msg/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(
            "the message type is not known here",
            where=type_name,
            do=f"Install or build the package '{package}' and source its workspace",
        ) from error
