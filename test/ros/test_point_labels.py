"""Clouds with a class of each point, as a viewer in the graph gets them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2

from xmodal_msgs.msg import Activity, ModelInfo
from xmodal_ros.core.settings import InferenceSettings, Settings
from xmodal_ros.data.fields import cloud_fields
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.ros import point_labels, qos
from xmodal_ros.ros.encode import fill
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.points import label_points
from xmodal_ros.runtime.predictor import Predictor

TOPIC, SCANS = "/perception/points/lidar", "/lidar/points"
LIDAR = {"sync": {"anchor": "lidar"}, "streams": {"lidar": {}}}
LABELLED = np.dtype(
    {
        "names": ["x", "y", "z", "label", "confidence"],
        "formats": ["<f4", "<f4", "<f4", "u1", "<f4"],
        "offsets": [0, 4, 8, 12, 16],
        "itemsize": 20,
    }
)
IN_VIEW = np.random.default_rng(0).random((50, 4)) + np.array([2, -0.5, -2, 0])


def stamp_of(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def points_of(message) -> np.ndarray:
    return np.frombuffer(bytes(message.data), LABELLED)


def cloud(stamp_ns: int) -> PointCloud2:
    return fill(PointCloud2, cloud_fields(stamp_ns, "tower", IN_VIEW))


@pytest.fixture
def bundle(lidar_bundle):
    return {"inference": {"bundle": str(lidar_bundle)}}


def test_model_info_says_what_the_numbers_mean(graph, bundle) -> None:
    infos = graph.collect("/perception/model_info", ModelInfo, qos.latched())
    graph.perception(**bundle, **LIDAR)
    (info,) = graph.until(lambda: infos)
    head = next(head for head in info.heads if head.name == "points/lidar")
    labels = ["background", "table", "object", "arm", "gripper", "person"]
    assert (head.task, list(head.labels), list(head.streams)) == ("points", labels, ["lidar"])
    assert head.abstain_below == pytest.approx(0.3)


def test_in_lock_step_each_scan_is_labelled_as_offline(
    graph, processes, lidar_bundle, lidar_recording
) -> None:
    """With the IMU as the anchor, whose frame and stamps are others than the scan's."""
    sync = {"anchor": "imu"}
    expected: dict[int, tuple[np.ndarray, ...]] = {}
    used, windows = Bundle.load(lidar_bundle).fit(Settings.from_mapping({"sync": sync}))
    with (
        Predictor(Bundle.load(lidar_bundle), InferenceSettings(backend="torch", threads=1)) as one,
        Recording(lidar_recording) as opened,
    ):
        for observation in observations(opened, used, windows):
            one.predict(observation)
            if "lidar" in observation.streams:
                found = label_points(one.encoded["lidar"], one.labelled["lidar"])
                seen = observation.streams["lidar"]
                expected[seen.stamps_ns[0]] = (seen.data, *found)
    assert len(expected) == 11  # the first second, but for its last scan, has no window of the IMU

    node = graph.perception(
        inference={"bundle": str(lidar_bundle)}, sync=sync, output={"lock_step": True}
    )
    answers = graph.collect("/perception/activity", Activity)
    live = graph.collect(TOPIC, PointCloud2)
    graph.until(lambda: graph.peer.count_publishers(TOPIC))
    graph.until(lambda: node.count_subscribers(TOPIC))
    player = processes.start("play", str(lidar_recording), "--lock-step", "--timeout", "60")
    graph.until(lambda: player.poll() is not None)
    assert player.returncode == 0, processes.output(player)
    graph.until(lambda: len(live) >= len(expected))
    assert len(answers) > len(live) == len(expected)  # each scan once

    assert {message.header.frame_id for message in live} == {"tower"}
    assert {stamp_of(message) for message in live} == set(expected)
    names = [(field.name, field.offset, field.datatype) for field in live[0].fields]
    assert names == [
        ("x", 0, 7),
        ("y", 4, 7),
        ("z", 8, 7),
        ("label", 12, 2),
        ("confidence", 16, 7),
    ]
    for message in live:
        points, labels, confidence = expected[stamp_of(message)]
        found = points_of(message)
        assert message.width == len(found) == len(points)
        for k, name in enumerate("xyz"):
            assert found[name].tobytes() == points[:, k].tobytes()
        assert found["label"].tobytes() == labels.tobytes()
        assert found["confidence"].tobytes() == confidence.tobytes()
    assert len({int(label) for message in live for label in points_of(message)["label"]}) > 2


@pytest.fixture
def labelled(monkeypatch) -> list[str]:
    """Threads in which scans were labelled."""
    made: list[str] = []

    def noted(*arguments):
        made.append(threading.current_thread().name)
        return label_points(*arguments)

    monkeypatch.setattr(point_labels, "label_points", noted)
    return made


def test_nothing_is_labelled_until_somebody_listens_nor_where_it_is_not_allowed(
    graph, bundle, labelled
) -> None:
    node = graph.perception(**bundle, **LIDAR)
    answers = graph.collect("/perception/activity", Activity)
    scans = graph.connected(SCANS, PointCloud2)

    def scan() -> None:
        scans.publish(cloud(node.get_clock().now().nanoseconds))

    graph.until(lambda: scan() or len(answers) > 3)
    assert not labelled

    seen = graph.collect(TOPIC, PointCloud2)
    graph.until(lambda: scan() or seen)
    assert set(labelled) == {"labels of points"}

    request = SetParameters.Request(
        parameters=[Parameter("output.points", value=False).to_parameter_msg()]
    )
    (result,) = graph.call(SetParameters, "/perception/set_parameters", request).results
    assert result.successful, result.reason
    before = len(answers)
    graph.until(lambda: scan() or len(answers) > before + 1)  # what was under way is done
    count, before = len(seen), len(answers)
    graph.until(lambda: scan() or len(answers) > before + 3)
    assert len(seen) == count


def test_scans_that_show_nothing_get_no_labels_and_the_node_lives(graph, bundle) -> None:
    node = graph.perception(**bundle, **LIDAR)
    seen = graph.collect(TOPIC, PointCloud2)
    scans = graph.connected(SCANS, PointCloud2)
    nan, origin = np.full((9, 4), np.nan), np.zeros((9, 4))

    def scan(points: np.ndarray) -> None:
        fields = cloud_fields(node.get_clock().now().nanoseconds, "tower", points)
        scans.publish(fill(PointCloud2, fields))

    for count in (1, 3, 50):  # of a tiny cloud after one that shows nothing
        for points in (np.zeros((0, 4)), nan, origin, IN_VIEW[:count]):
            scan(points)
        graph.until(
            lambda count=count: scan(IN_VIEW[:count]) or (seen[-1:] and seen[-1].width == count)
        )
    assert {message.width for message in seen} == {1, 3, 50}
