"""The gel camera as other nodes see it: images, stamps, references, faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger

from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import StreamSettings
from xmodal_ros.core.types import Modality
from xmodal_ros.data.decode import decode
from xmodal_ros.drivers.synthetic import SyntheticGel
from xmodal_ros.ros import qos, spin
from xmodal_ros.ros.gel_camera import GelCamera, make

FAILURE = TransitionCallbackReturn.FAILURE
NAME = "tactile_left"
IMAGE = "sensor_msgs/msg/Image"
SMALL = {"width": 64, "height": 48, "rate_hz": 100.0}


def video(path: Path, images: Any) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 25, (64, 48))
    for image in images:
        writer.write(image)
    writer.release()
    return path


def gel_images(count: int = 75, seed: int = 0) -> list[np.ndarray]:
    gel = SyntheticGel(64, 48, seed)
    return [gel.image() for _ in range(count)]


def _stamps(messages: list[Any]) -> set[tuple[int, int]]:
    return {(m.header.stamp.sec, m.header.stamp.nanosec) for m in messages}


@pytest.fixture
def camera(graph) -> Iterator[Callable[..., GelCamera]]:
    """Make a gel camera, and activate it."""

    def start(path: Path | str, *, active: bool = True, **groups: dict[str, Any]) -> GelCamera:
        groups["device"] = {"path": str(path), **SMALL, **groups.get("device", {})}
        groups["health"] = {"period_s": 0.1, **groups.get("health", {})}
        node = make(groups, NAME)
        graph.nodes.append(node)
        graph.add(node)
        if active:
            assert node.trigger_configure() == spin.SUCCESS
            assert node.trigger_activate() == spin.SUCCESS
        return node

    return start


def test_images_and_what_goes_with_them(graph, camera, tmp_path: Path) -> None:
    images = gel_images(10)
    node = camera(video(tmp_path / "gel.avi", images), image={"frame_id": "left_gel"})
    raw = graph.collect(f"/{NAME}/image_raw", Image, qos.subscription(StreamSettings()))
    packed = graph.collect(f"/{NAME}/image_raw/compressed", CompressedImage)
    infos = graph.collect(f"/{NAME}/camera_info", CameraInfo)
    graph.until(lambda: len(raw) > 5 and len(packed) > 5 and len(infos) > 5)
    now_ns = node.get_clock().now().nanoseconds

    samples = [decode(message, IMAGE, Modality.TACTILE) for message in raw]
    shown = {image[..., ::-1].tobytes() for image in images}
    assert {sample.data.tobytes() for sample in samples} <= shown
    stamps = [sample.stamp_ns for sample in samples]
    assert stamps == sorted(set(stamps))
    assert 0 < now_ns - stamps[-1] < 10**10
    assert {message.header.frame_id for message in (*raw, *packed, *infos)} == {"left_gel"}
    kind = "sensor_msgs/msg/CompressedImage"
    again = decode(packed[-1], kind, Modality.TACTILE).data.astype(int)
    assert min(np.abs(again - image[..., ::-1]).mean() for image in images) < 6
    assert (infos[0].width, infos[0].height, infos[0].k[0]) == (64, 48, 0.0)
    graph.until(lambda: _stamps(raw) & _stamps(infos) & _stamps(packed))


def test_contact_is_reported(graph, camera) -> None:
    camera("synthetic")
    status = graph.status("gel camera", "contact: no")
    assert status.name == f"{NAME}: gel camera"
    assert (status.hardware_id, status.level) == ("synthetic", b"\x00")
    graph.status("gel camera", "contact: yes")


def test_an_unplugged_device_is_reported_and_read_again(graph, camera, tmp_path: Path) -> None:
    path = video(tmp_path / "gel.avi", gel_images())
    camera(path)
    graph.status("gel camera", "contact: no")
    away = path.rename(tmp_path / "away.avi")
    status = graph.status("gel camera", "no such device or file")
    assert status.level == b"\x02"
    away.rename(path)
    status = graph.status("gel camera", "contact: no")
    assert {v.key: v.value for v in status.values}["reconnects"] == "1"


def test_half_images_are_left_out_and_told(graph, camera, tmp_path: Path) -> None:
    whole, half = gel_images(2)
    half[24:] = 128
    camera(video(tmp_path / "gel.avi", [whole, half]))
    raw = graph.collect(f"/{NAME}/image_raw", Image)
    graph.status("gel camera", "half images were left out: check the cable")
    graph.until(lambda: len(raw) > 5)
    assert {bytes(message.data) for message in raw} == {whole[..., ::-1].tobytes()}


def test_a_frozen_image_is_reported(graph, camera, tmp_path: Path) -> None:
    path = video(tmp_path / "gel.avi", gel_images(1) * 2)
    camera(path, health={"frozen_after_s": 0.2})
    assert graph.status("gel camera", "the image is frozen").level == b"\x01"


def test_the_reference_is_kept_and_tells_another_unit(graph, camera, tmp_path: Path) -> None:
    file = tmp_path / "left.png"
    path = video(tmp_path / "gel.avi", gel_images(30))
    node = camera(path, reference={"file": str(file)})
    found = graph.collect(f"/{NAME}/reference", Image, qos.latched())
    graph.until(lambda: found)
    first = decode(found[0], IMAGE, Modality.TACTILE).data
    np.testing.assert_array_equal(cv2.imread(str(file))[..., ::-1], first)

    assert node.trigger_deactivate() == spin.SUCCESS
    assert node.trigger_cleanup() == spin.SUCCESS
    video(path, gel_images(30, seed=1))  # another unit at the same device
    del found[:]
    assert node.trigger_configure() == spin.SUCCESS
    assert node.trigger_activate() == spin.SUCCESS
    graph.status("gel camera", "another unit")
    graph.until(lambda: found)
    np.testing.assert_array_equal(decode(found[-1], IMAGE, Modality.TACTILE).data, first)

    answer = graph.call(Trigger, f"/{NAME}/capture_reference", Trigger.Request())
    assert answer.success
    graph.status("gel camera", "contact: no")
    assert np.abs(cv2.imread(str(file))[..., ::-1].astype(int) - first).mean() > 5


def test_an_inactive_camera_captures_nothing(graph, camera) -> None:
    node = camera("synthetic", active=False)
    assert node.trigger_configure() == spin.SUCCESS
    answer = graph.call(Trigger, f"/{NAME}/capture_reference", Trigger.Request())
    assert not answer.success
    assert "not active" in answer.message


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ({"device": {"path": "/dev/video99"}}, "/dev/video99: there is no such device or file"),
        ({"device": {"width": 80}}, "gives 64 x 48; expected 80 x 48"),
        ({"image": {"calibration": "/nowhere.yaml"}}, "/nowhere.yaml: cannot be read"),
    ],
)
def test_configure_fails_with_the_reason(camera, tmp_path: Path, capfd, groups, text) -> None:
    node = camera(video(tmp_path / "gel.avi", gel_images(2)), active=False, **groups)
    assert node.trigger_configure() == FAILURE
    assert text in capfd.readouterr().err


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ({"device": {"exposur": 3}}, "device: unknown setting 'exposur'. Did you mean 'exposure'"),
        ({"devise": {"path": "x"}}, "settings: unknown group 'devise'. Did you mean 'device'?"),
    ],
)
def test_parameters_that_are_unknown_name_the_nearest(graph, groups, text) -> None:
    with pytest.raises(SettingsError) as caught:
        make(groups, NAME)
    assert text in str(caught.value)


def test_every_setting_is_a_parameter_with_a_description(camera) -> None:
    node = camera("synthetic", active=False)
    for name in ("device.width", "image.crop_left", "reference.file", "health.frozen_after_s"):
        assert node.describe_parameter(name).description
    assert node.get_parameter("device.width").value == 64
