"""Devices: what they give, and what is said of those that cannot be read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from xmodal_ros.core.errors import DeviceError
from xmodal_ros.drivers import capture, video_devices
from xmodal_ros.drivers.capture import Ended, V4l2Camera, open_source
from xmodal_ros.drivers.gel_settings import DeviceSettings
from xmodal_ros.drivers.synthetic import SyntheticGel

SIZE = {"width": 64, "height": 48, "rate_hz": 240.0}


@pytest.fixture
def images() -> list[np.ndarray]:
    gel = SyntheticGel(64, 48)
    return [gel.image() for _ in range(5)]


def read(source: Any, count: int) -> list[np.ndarray]:
    return [source.read(threading.Event()).image for _ in range(count)]


def test_a_file_gives_its_images_and_ends(video: Callable[..., Path], images: Any) -> None:
    source = open_source(DeviceSettings(path=str(video(images)), loop=False, **SIZE))
    np.testing.assert_array_equal(read(source, 5), images)
    with pytest.raises(Ended):
        read(source, 1)


def test_a_file_begins_again(video: Callable[..., Path], images: Any) -> None:
    source = open_source(DeviceSettings(path=str(video(images)), **SIZE))
    np.testing.assert_array_equal(read(source, 12), [*images, *images, *images[:2]])


def test_images_of_a_file_come_no_sooner_than_at_the_rate(
    video: Callable[..., Path], images: Any
) -> None:
    path = video(images)
    begin_ns = time.monotonic_ns()
    source = open_source(DeviceSettings(path=str(path), **{**SIZE, "rate_hz": 50.0}))
    stamps = [source.read(threading.Event()).captured_ns for _ in range(4)]
    assert all(stamps[k] >= begin_ns + k * 20_000_000 for k in range(4))


def test_another_size_is_refused_with_the_one_that_comes(
    video: Callable[..., Path], images: Any
) -> None:
    path = video(images)
    source = open_source(DeviceSettings(path=str(path), width=32, height=24))
    with pytest.raises(DeviceError, match=r"gives 64 x 48; expected 32 x 24, as device.width"):
        read(source, 1)


def test_a_file_that_is_removed_is_gone(video: Callable[..., Path], images: Any) -> None:
    path = video(images)
    source = open_source(DeviceSettings(path=str(path), **SIZE))
    read(source, 1)
    path.unlink()
    with pytest.raises(DeviceError, match=r"gel.avi: is gone. Plug it in again"):
        read(source, 1)


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no video")
    with pytest.raises(DeviceError, match=r"notes.txt: cannot be read as a video"):
        open_source(DeviceSettings(path=str(path)))


def test_a_missing_device_names_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("video2", "video0", "audio0"):
        (tmp_path / name).touch()
    (tmp_path / "names" / "video2").mkdir(parents=True)
    (tmp_path / "names" / "video2" / "name").write_text("GelSight Mini R0B 2871\n")
    monkeypatch.setattr(video_devices, "DEVICES", tmp_path)
    monkeypatch.setattr(video_devices, "NAMES", tmp_path / "names")
    with pytest.raises(DeviceError) as caught:
        open_source(DeviceSettings(path="/dev/video7"))
    assert str(caught.value) == (
        "/dev/video7: there is no such device or file. "
        f"There are {tmp_path}/video0, {tmp_path}/video2 (GelSight Mini R0B 2871)"
    )


def test_where_there_is_no_device_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_devices, "DEVICES", tmp_path)
    with pytest.raises(DeviceError, match="There is no /dev/video"):
        open_source(DeviceSettings(path="/dev/video7"))


class Camera:
    """In place of OpenCV's capture of a camera, which no machine of the tests has."""

    fixed: ClassVar[dict[int, float]] = {}
    refused: ClassVar[tuple[int, ...]] = ()
    opens = True
    image: np.ndarray | None = np.zeros((48, 64, 3), np.uint8)

    def __init__(self, *_: Any) -> None:
        self.settings = dict(self.fixed)

    def isOpened(self) -> bool:
        return self.opens

    def set(self, name: int, value: float) -> bool:
        if name not in self.fixed:
            self.settings[name] = value
        return name not in self.refused

    def get(self, name: int) -> float:
        return self.settings.get(name, 0.0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        return self.image is not None, self.image

    def release(self) -> None:
        pass


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> type[Camera]:
    class Own(Camera):
        pass

    monkeypatch.setattr(capture.cv2, "VideoCapture", Own)
    return Own


def test_a_camera_is_asked_for_size_rate_and_exposure(camera: Any, tmp_path: Path) -> None:
    wanted = DeviceSettings(path="/dev/x", pixel_format="MJPG", exposure=80, **SIZE)
    made = V4l2Camera(_device(tmp_path), wanted)._capture.settings
    assert made[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert (made[cv2.CAP_PROP_FRAME_WIDTH], made[cv2.CAP_PROP_FRAME_HEIGHT]) == (64, 48)
    assert (made[cv2.CAP_PROP_FPS], made[cv2.CAP_PROP_EXPOSURE]) == (240.0, 80)
    assert made[cv2.CAP_PROP_AUTO_EXPOSURE] == capture.MANUAL


def test_stamps_are_the_kernels_where_they_are_of_our_clock(camera: Any, tmp_path: Path) -> None:
    source = V4l2Camera(_device(tmp_path), DeviceSettings(**SIZE))
    ago_ns = time.monotonic_ns() - 20_000_000
    for stamp_ns, ours in ((ago_ns, True), (0, False), (ago_ns + 10**12, False)):
        source._capture.settings[cv2.CAP_PROP_POS_MSEC] = stamp_ns * 1e-6
        before_ns = time.monotonic_ns()
        captured_ns = source.read(threading.Event()).captured_ns
        if ours:
            assert abs(captured_ns - stamp_ns) < 1000  # what a float of milliseconds keeps
        else:
            assert captured_ns >= before_ns


@pytest.mark.parametrize(
    ("change", "settings", "text"),
    [
        ({"opens": False}, {}, "cannot be opened as a camera. Another user's process may hold it"),
        ({"fixed": {cv2.CAP_PROP_FRAME_WIDTH: 640.0}}, {}, r"gives 640 x 48; expected 64 x 48"),
        ({"refused": (cv2.CAP_PROP_FOURCC,)}, {"pixel_format": "H264"}, "no pixel format 'H264'"),
        ({"refused": (cv2.CAP_PROP_EXPOSURE,)}, {"exposure": 9}, "refuses the exposure 9"),
    ],
)
def test_what_a_camera_refuses_is_said(
    camera: Any, tmp_path: Path, change: dict[str, Any], settings: dict[str, Any], text: str
) -> None:
    for name, value in change.items():
        setattr(camera, name, value)
    with pytest.raises(DeviceError, match=text):
        V4l2Camera(_device(tmp_path), DeviceSettings(**SIZE, **settings))


def test_a_busy_camera_names_who_holds_it(camera: Any, tmp_path: Path) -> None:
    camera.opens = False
    device = _device(tmp_path)
    name = Path("/proc/self/comm").read_text().strip()
    with device.open(), pytest.raises(DeviceError) as caught:
        V4l2Camera(device, DeviceSettings(**SIZE))
    assert f"video0: is held by {name} (" in str(caught.value)
    assert "End that process" in str(caught.value)


@pytest.mark.parametrize(
    ("image", "text"),
    [(None, "gives no image any more. Is it plugged"), (np.zeros((24, 64, 3)), "gives 64 x 24")],
)
def test_a_camera_that_fails_while_it_is_read(
    camera: Any, tmp_path: Path, image: Any, text: str
) -> None:
    source = V4l2Camera(_device(tmp_path), DeviceSettings(**SIZE))
    camera.image = image
    with pytest.raises(DeviceError, match=text):
        source.read(threading.Event())


def _device(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path
