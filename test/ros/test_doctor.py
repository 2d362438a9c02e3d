"""`xmodal doctor` against real nodes: what it finds, and what it says to change."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.experimental import EventsExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, Imu, PointCloud2

from xmodal_ros.core.settings import Settings, StreamSettings, SyncSettings
from xmodal_ros.ros import doctor
from xmodal_ros.ros.doctor import Report, StreamReport
from xmodal_ros.ros.doctor_advice import Seen, advise, advise_transport
from xmodal_ros.ros.doctor_show import show, text

STREAMS = {"tactile_left": {"required": True}, "camera": {"tolerance_s": 10.0}, "imu": {}}
PATIENT = {"timeout_s": 4.0}
"""On a machine that is busy, messages are old when they arrive."""
PERIOD_S = 0.02
WAIT_S = 60.0
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


class Drivers:
    """Nodes that publish in a thread of their own, as other processes do."""

    def __init__(self) -> None:
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context)
        self._nodes: list[Any] = []
        self._executors: list[Any] = []
        self._sending: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def add(
        self,
        topic: str,
        make: Callable[[int], Any],
        kind: Any = Image,
        *,
        name: str = "",
        qos: Any = 10,
        ago_s: float = 0.0,
    ) -> None:
        """Publish on a topic what `make` makes of a time."""
        own = name or f"driver_{len(self._nodes)}"
        node = rclpy.create_node(own, context=self._context)
        publisher = node.create_publisher(kind, topic, qos)
        self._nodes.append(node)
        ago_ns = round(ago_s * 1e9)
        self._sending.append(lambda: publisher.publish(make(time.time_ns() - ago_ns)))

    def lifecycle(self, name: str) -> None:
        """A node with a lifecycle, which answers."""
        node = LifecycleNode(name, context=self._context)
        executor = EventsExecutor(context=self._context)
        executor.add_node(node)
        self._nodes.append(node)
        self._executors.append(executor)
        self._sending.append(lambda: executor.spin_once(timeout_sec=PERIOD_S))

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        for executor in self._executors:
            executor.shutdown()
        for node in self._nodes:
            node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _send(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            for send in tuple(self._sending):
                send()


@pytest.fixture
def drivers() -> Iterator[Drivers]:
    made = Drivers()
    yield made
    made.close()


@pytest.fixture
def examined(tmp_path: Path) -> Callable[..., Report]:
    """Let the doctor listen for the streams of a settings file, until it has found something."""

    def examine(
        found: Callable[[Report], Any] = lambda report: True,
        streams: Any = STREAMS,
        seconds: float = 0.7,
    ) -> Report:
        path = tmp_path / "settings.yaml"
        values = {"streams": streams, "sync": PATIENT}
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        end = time.monotonic() + WAIT_S
        while not found(report := doctor.examine(doctor.wanted(path), seconds, [])):
            assert time.monotonic() < end, report
            seconds *= 2  # a busy machine discovers late
        return report

    return examine


def heard(*names: str) -> Callable[[Report], bool]:
    """Whether some messages of these streams came."""
    return lambda report: all(by_name(report)[name].seen.messages > 3 for name in names)


def told(name: str, text: str) -> Callable[[Report], bool]:
    """Whether a stream is wrong in that way."""
    return lambda report: any(text in error for error in by_name(report)[name].errors)


def by_name(report: Report) -> dict[str, StreamReport]:
    return {stream.stream: stream for stream in report.streams}


def test_streams_that_come_are_measured(drivers, examined, messages) -> None:
    drivers.add("/tactile_left/image_raw", messages.image)
    drivers.add("/camera/image_raw", messages.image)
    drivers.add("/imu/data_raw", messages.imu, Imu)
    report = examined(heard(*STREAMS))
    assert report.healthy
    assert [stream.errors for stream in report.streams] == [[], [], []]
    gel = by_name(report)["tactile_left"]
    assert gel.publishers[0]["node"] == "/driver_0"
    assert gel.publishers[0]["reliability"] == "reliable"
    assert gel.seen.rate_hz > 0
    assert gel.seen.bytes == 24 * 96
    assert 0 <= gel.seen.age_s < 4.0
    assert gel.seen.frame_id == "finger"
    assert by_name(report)["imu"].seen.bytes == 0


def test_what_is_missing_is_told_and_vital_streams_are_a_fault(
    drivers, examined, messages
) -> None:
    drivers.add("/camera/image_raw", messages.image)
    report = examined(heard("camera"))
    found = by_name(report)
    assert not report.healthy
    assert found["camera"].errors == []
    assert (
        "nothing publishes /tactile_left/image_raw: start its driver"
        in (found["tactile_left"].errors[0])
    )
    assert (found["tactile_left"].vital, found["imu"].vital) == (True, False)


def test_qos_that_does_not_fit_is_told(drivers, examined, messages) -> None:
    drivers.add("/tactile_left/image_raw", messages.image, qos=BEST_EFFORT)
    report = examined(
        told("tactile_left", "set parameter 'tactile_left.reliability' to 'best_effort'")
    )
    assert not report.healthy
    assert by_name(report)["tactile_left"].publishers[0]["reliability"] == "best_effort"


def test_another_type_is_told(drivers, examined) -> None:
    drivers.add("/camera/image_raw", lambda _: PointCloud2(), PointCloud2)
    examined(told("camera", "is published as sensor_msgs/msg/PointCloud2 by /driver_0"))


@pytest.mark.parametrize(
    ("ago_s", "text"),
    [
        (9.0, "old on arrival, more than sync.timeout_s"),
        (-9.0, "ahead of our clock and are refused: synchronize the machines' clocks"),
    ],
)
def test_clocks_that_differ_are_told(drivers, examined, messages, ago_s: float, text: str) -> None:
    drivers.add("/tactile_left/image_raw", messages.image, ago_s=ago_s)
    assert not examined(told("tactile_left", text)).healthy


@pytest.mark.parametrize(
    ("stamp_ns", "text"),
    [(0, "stamps are zero"), (5 * 10**12, "count from when the sensor was switched on")],
)
def test_stamps_that_are_no_time_are_told(drivers, examined, messages, stamp_ns, text) -> None:
    drivers.add("/tactile_left/image_raw", lambda _: messages.image(stamp_ns))
    examined(told("tactile_left", text))


def test_time_is_taken_from_clock_where_it_is_published(drivers, examined, messages) -> None:
    drivers.add(
        "/clock", lambda ns: Clock(clock=messages.stamp(ns)), Clock, name="player", ago_s=1e7
    )
    drivers.add("/tactile_left/image_raw", messages.image, ago_s=1e7)
    report = examined(lambda report: not by_name(report)["tactile_left"].errors)
    assert report.clock == "/clock"


def test_two_nodes_of_one_name_and_two_publishers_are_named(drivers, examined, messages) -> None:
    for _ in range(2):
        drivers.add("/tactile_left/image_raw", messages.image, name="gel")
    report = examined(told("tactile_left", "2 publishers send it: gel, gel; stop all but one"))
    assert report.twice == ["/gel"]
    assert not report.healthy


def test_what_nodes_say_of_themselves_is_told_where_it_is_not_good(drivers, examined) -> None:
    statuses = [
        DiagnosticStatus(level=DiagnosticStatus.OK, name="gel: good", message="25.0 Hz"),
        DiagnosticStatus(level=DiagnosticStatus.WARN, name="gel: bad", message="is dark"),
    ]
    drivers.add("/diagnostics", lambda _: DiagnosticArray(status=statuses), DiagnosticArray)
    report = examined(lambda report: report.diagnostics)
    assert report.diagnostics == {"gel: bad": "is dark"}


def test_the_state_of_perception_is_told(drivers, examined) -> None:
    assert examined().perception == {"/perception": "not there"}
    drivers.lifecycle("perception")
    examined(lambda report: report.perception == {"/perception": "unconfigured"})


def test_a_robots_arms_are_looked_for_in_their_namespaces(tmp_path: Path) -> None:
    path = tmp_path / "robot.yaml"
    streams = {"tactile_left": {}, "camera": {"topic": "/eye/image"}}
    arm = {"perception": {"streams": streams}}
    path.write_text(yaml.safe_dump({"arms": {"left": arm, "right": arm}}, sort_keys=False))
    assert [(entry.arm, entry.stream.topic, entry.vital) for entry in doctor.wanted(path)] == [
        ("left", "/left/tactile_left/image_raw", True),
        ("left", "/eye/image", False),
        ("right", "/right/tactile_left/image_raw", True),
        ("right", "/eye/image", False),
    ]


def test_a_camera_that_is_too_slow_and_a_missing_profile_are_told(
    drivers, examined, messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/nowhere.xml")
    drivers.add("/tactile_left/image_raw", messages.image)
    drivers.add("/camera/image_raw", messages.image)
    streams = {"tactile_left": {}, "camera": {"tolerance_s": 0.0}}
    report = examined(told("camera", "raise camera.tolerance_s or the sensor's rate"), streams)
    assert "the Fast DDS profile /nowhere.xml is no file" in report.advice[0]


def test_a_lidar_that_is_not_waited_for_may_be_late_but_not_too_old() -> None:
    lidar = next(s for s in Settings().streams if s.name == "lidar")
    came = {"messages": 9, "bytes": 9, "newest_ns": time.time_ns(), "frame_id": "os_lidar"}
    assert advise(lidar, SyncSettings(), Seen(rate_hz=10, age_s=0.18, **came), anchor=False) == []
    [seldom] = advise(lidar, SyncSettings(), Seen(rate_hz=5, age_s=0.18, **came), anchor=False)
    assert "a message each 0.20 s, 0.18 s after its stamp, is too seldom" in seldom


def test_large_messages_and_little_shared_memory_are_told() -> None:
    large = Seen(messages=3, bytes=900_000, newest_ns=time.time_ns(), frame_id="eye")
    stream = StreamSettings(reliability="best_effort")
    [about_qos] = advise(stream, SyncSettings(), large, anchor=False)
    assert "messages of 879 KiB come best effort: without our profile" in about_qos
    facts = {"middleware": "rmw_fastrtps_cpp", "Fast DDS profile": ""}
    about = advise_transport({**facts, "shared memory free (MiB)": "12"}, [large])
    assert "no Fast DDS profile in this environment" in about[0]
    assert "/dev/shm has 12 MiB left" in about[1]
    assert advise_transport({**facts, "middleware": "rmw_cyclonedds_cpp"}, [large]) == []


def test_the_report_is_shown_as_a_table_and_as_json(
    drivers, examined, messages, capfd: pytest.CaptureFixture[str]
) -> None:
    drivers.add("/tactile_left/image_raw", messages.image)
    report = examined(heard("tactile_left"))
    show(report)
    shown = capfd.readouterr().out
    assert "nobody" in shown
    assert "camera: nothing publishes /camera/image_raw" in shown
    assert "ROS_DOMAIN_ID" in shown
    values = json.loads(text(report))
    assert values["healthy"] is True
    assert [s["stream"] for s in values["streams"]] == list(STREAMS)


def test_the_command_ends_with_1_where_a_vital_stream_is_missing(processes: Any) -> None:
    process = processes.start("doctor", "--seconds", "0.5", "--json")
    assert process.wait(60) == 1
    assert '"healthy": false' in processes.output(process)
