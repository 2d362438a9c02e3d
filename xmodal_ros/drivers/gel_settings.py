"""Settings of a gel camera: its device, its images, its reference and its health."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xmodal_ros.core.declare import Described, describe, from_mapping, setting, unknown, validate
from xmodal_ros.core.errors import SettingsError

SYNTHETIC = "synthetic"
"""A `device.path` that needs no hardware."""


@dataclass(frozen=True)
class DeviceSettings:
    """Which camera is read, and how."""

    path: str = setting(
        "/dev/video0",
        "device, best a link below /dev/v4l/by-id, which stays with the sensor; or a video file; "
        "or 'synthetic', a gel without hardware",
    )
    # GelSight's own software reads a Mini with these.
    width: int = setting(320, "of what the device gives", unit="px", low=16, high=8192)
    height: int = setting(240, "of what the device gives", unit="px", low=16, high=8192)
    rate_hz: float = setting(
        25.0, "asked of a device, kept with a file", unit="Hz", low=1.0, high=240.0
    )
    pixel_format: str = setting("", "of V4L2, such as MJPG or YUYV; empty for the device's choice")
    exposure: int = setting(
        0, "in the device's units, 0.1 ms of UVC's; 0 for automatic", low=0, high=100_000
    )
    loop: bool = setting(True, "start a video file again at its end")

    def __post_init__(self) -> None:
        validate(self, "device")
        if self.pixel_format and len(self.pixel_format) != 4:
            raise SettingsError(
                f"got '{self.pixel_format}'",
                where="device.pixel_format",
                expected="four letters, such as MJPG",
            )


@dataclass(frozen=True)
class ImageSettings:
    """What becomes of the device's images before they are published."""

    frame_id: str = setting(
        "", "of all messages; empty for the node's, with its namespace: left_tactile_left"
    )
    crop_left: float = setting(0.0, "cut off, of the width", low=0.0, high=0.45)
    crop_right: float = setting(0.0, "cut off, of the width", low=0.0, high=0.45)
    crop_top: float = setting(0.0, "cut off, of the height", low=0.0, high=0.45)
    crop_bottom: float = setting(0.0, "cut off, of the height", low=0.0, high=0.45)
    width: int = setting(0, "published; 0 for what is left", unit="px", low=0, high=8192)
    height: int = setting(0, "published; 0 for what is left", unit="px", low=0, high=8192)
    calibration: str = setting("", "YAML file of camera_calibration, of the device's whole image")
    undistort: bool = setting(False, "take the lens's distortion out; needs a calibration")
    jpeg_quality: int = setting(90, "of the compressed topic", low=1, high=100)

    def __post_init__(self) -> None:
        validate(self, "image")
        if self.undistort and not self.calibration:
            raise SettingsError(
                "no calibration is named", where="image.undistort", do="Set image.calibration"
            )
        if bool(self.width) is not bool(self.height):
            raise SettingsError(
                f"got {self.width} x {self.height}",
                where="image.width, image.height",
                expected="both or neither",
            )


@dataclass(frozen=True)
class ReferenceSettings:
    """The image of the gel without contact."""

    file: str = setting(
        "",
        "PNG that keeps it from one start to the next and tells units apart; written where there "
        "is none yet; empty for an image per start",
    )

    def __post_init__(self) -> None:
        validate(self, "reference")


@dataclass(frozen=True)
class HealthSettings:
    """What is said on /diagnostics."""

    period_s: float = setting(1.0, "time between diagnostics", unit="s", low=0.1, high=60.0)
    frozen_after_s: float = setting(
        1.0, "equal images for so long are a fault", unit="s", low=0.1, high=60.0
    )
    silent_after_s: float = setting(
        1.0, "no image for so long is a fault", unit="s", low=0.1, high=60.0
    )

    def __post_init__(self) -> None:
        validate(self, "health")


GROUPS: dict[str, Any] = {
    "device": DeviceSettings,
    "image": ImageSettings,
    "reference": ReferenceSettings,
    "health": HealthSettings,
}
"""Classes of settings by the name of their group."""


@dataclass(frozen=True)
class GelSettings:
    """Everything that can be set about a gel camera."""

    device: DeviceSettings = field(default_factory=DeviceSettings)
    image: ImageSettings = field(default_factory=ImageSettings)
    reference: ReferenceSettings = field(default_factory=ReferenceSettings)
    health: HealthSettings = field(default_factory=HealthSettings)


def gel_settings(values: Mapping[str, Any]) -> GelSettings:
    """Settings from values by group and name; what is not named keeps its default.

    Args:
        values: Such as `{"device": {"rate_hz": 60.0}}`.

    Raises:
        SettingsError: an unknown group or setting, the nearest one named, or a bad value.
    """
    made = {}
    for group, given in values.items():
        if group not in GROUPS:
            raise unknown("group", group, GROUPS, "settings")
        if not isinstance(given, Mapping):
            raise SettingsError(f"got {given!r}", where=group, expected="names and values")
        made[group] = from_mapping(GROUPS[group], given, group)
    return GelSettings(**made)


def rows() -> Iterator[Described]:
    """Every setting by its full name."""
    for group, cls in GROUPS.items():
        yield from describe(cls, f"{group}.")
