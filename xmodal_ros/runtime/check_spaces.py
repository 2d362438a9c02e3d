"""Verification of what a bundle says may be compared: its spaces, and sentences among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xmodal_ros.core.declare import from_mapping
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.runtime.manifest import TEXT, TextCard

if TYPE_CHECKING:
    from xmodal_ros.nn.architecture import Architecture


def read_spaces(
    manifest: Mapping[str, Any], spec: Architecture | None, problems: list[str]
) -> tuple[tuple[tuple[str, ...], ...], TextCard | None]:
    """Groups of branches, and which sentence encoder is beside them.

    Args:
        manifest: Contents of bundle.yaml.
        spec: None where the architecture is not readable.
        problems: Grows.
    """
    text = _text(manifest[TEXT], problems) if TEXT in manifest else None
    values = manifest.get("spaces", ())
    if not isinstance(values, Sequence):
        return (), text
    groups = tuple(tuple(map(str, group)) for group in values if isinstance(group, list))
    if len(groups) < len(values):
        problems.append(f"spaces is {values!r}, expected a list of lists of branches")
    names = [name for group in groups for name in group]
    if len(set(names)) < len(names):
        problems.append("spaces has a branch twice")
    if text and TEXT not in names:
        problems.append(f"spaces lacks '{TEXT}' beside the branches that it is compared with")
    if spec is not None:
        known = [*spec.branches, *([TEXT] if text else [])]
        problems += [
            f"spaces has '{name}', expected some of the branches {', '.join(known)}"
            for name in names
            if name not in known
        ]
        if text and TEXT in {*spec.branches, *spec.streams}:
            problems.append(f"architecture has a branch or stream '{TEXT}', which is of sentences")
    return groups, text


def _text(values: Any, problems: list[str]) -> TextCard | None:
    if not isinstance(values, Mapping):
        return None
    try:
        card = from_mapping(TextCard, values, TEXT)
    except SettingsError as error:
        problems.append(str(error))
        return None
    problems += [f"{TEXT}.{name} is missing" for name, value in vars(card).items() if not value]
    return card
