"""A robot's file: its arms, each with the gel cameras to start and what perception hears.

arms:
  left:                # namespace of the arm's nodes
    gels:              # by stream: settings of `gel_camera`, a node of that name
      tactile_left: {device: {path: /dev/v4l/by-id/...}}
    perception:        # settings of `perception`, as `xmodal node --settings` takes them
      streams: {tactile_left: {required: true}}
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xmodal_ros.core.declare import unknown
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import Settings
from xmodal_ros.data.settings_file import read_yaml
from xmodal_ros.drivers.gel_settings import GelSettings, gel_settings

ARMS = "arms"
"""The one key at the top, by which a robot's file is told from one of settings."""
PARTS = ("gels", "perception")
_NAMESPACE = re.compile(r"[a-zA-Z]\w*(/[a-zA-Z]\w*)*")


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        namespace: Of its nodes, without slashes around.
        gels: Gel cameras to start, by the name of their stream.
        perception: Settings of perception.
    """

    namespace: str
    gels: Mapping[str, GelSettings]
    perception: Settings

    def topic(self, name: str) -> str:
        """A topic of the arm's nodes by its whole name."""
        return name if name.startswith("/") else f"/{self.namespace}/{name}"


def load_robot(path: Path) -> dict[str, Arm]:
    """The arms of a robot's file, by namespace.

    Raises:
        SettingsError: the file cannot be read; a key is unknown, the nearest one is named; or a
            gel camera is started that perception does not hear.
    """
    values = read_yaml(path)
    for key in values:
        if key != ARMS:
            raise unknown("key", key, [ARMS], str(path))
    arms = _mapping(values.get(ARMS), ARMS)
    if not arms:
        raise SettingsError("no arm is named", where=str(path), expected="at least one arm")
    return {str(name): _arm(str(name), value) for name, value in arms.items()}


def choose(arms: Mapping[str, Arm], name: str) -> Arm:
    """The arm of a name, or the only one.

    Raises:
        SettingsError: there is no such arm, or none is named and there are several.
    """
    if name in arms:
        return arms[name]
    if not name and len(arms) == 1:
        return next(iter(arms.values()))
    what = f"no arm is named '{name}'" if name else "the robot has several arms"
    raise SettingsError(what, where="--arm", expected="one of " + ", ".join(arms))


def _arm(name: str, value: Any) -> Arm:
    where = f"{ARMS}.{name}"
    if not _NAMESPACE.fullmatch(name):
        raise SettingsError(
            f"'{name}' cannot be a namespace", where=ARMS, expected="letters, digits, underscores"
        )
    values = _mapping(value, where)
    for key in values:
        if key not in PARTS:
            raise unknown("key", key, PARTS, where)
    with _within(f"{where}.perception"):
        perception = Settings.from_mapping(_mapping(values.get("perception"), "settings"))
    gels = {}
    for gel, given in _mapping(values.get("gels"), f"{where}.gels").items():
        heard = {s.name: s.topic for s in perception.streams if s.modality == "tactile"}
        if gel not in heard:
            raise unknown("stream", gel, heard, f"{where}.gels")
        if heard[gel] not in (image := f"{gel}/image_raw", f"{image}/compressed"):
            raise SettingsError(
                f"perception hears {gel} at {heard[gel]}",
                where=f"{where}.perception.streams.{gel}.topic",
                expected=f"{image}, where its gel camera publishes",
            )
        with _within(f"{where}.gels.{gel}"):
            gels[gel] = gel_settings(_mapping(given, "settings"))
    return Arm(name, gels, perception)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value or {}, Mapping):
        raise SettingsError(f"got {value!r}", where=where, expected="names and values")
    return value or {}


@contextlib.contextmanager
def _within(where: str) -> Iterator[None]:
    """Name the place of what is wrong in the whole file."""
    try:
        yield
    except SettingsError as error:
        place = where if error.where == "settings" else f"{where}.{error.where}"
        raise SettingsError(
            error.what, where=place, expected=error.expected, do=error.do
        ) from None
