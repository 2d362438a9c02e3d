"""/diagnostics names the topic, what is wrong with it, and what to do."""

from __future__ import annotations

import time

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, Imu
from std_msgs.msg import String

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
CAMERA, FINGER = "/camera/image_raw", "/tactile_left/image_raw"
SOON = {"starved_after_s": 0.3}


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def test_healthy_inputs_and_outputs(graph, messages) -> None:
    graph.perception(
        streams={"camera": {}, "tactile_left": {}}, sync={"timeout_s": 10.0, "anchor": "camera"}
    )
    publishers = [graph.connected(topic, Image) for topic in (CAMERA, FINGER)]
    sent_s = 0.0

    def see() -> None:
        nonlocal sent_s
        if time.monotonic() > sent_s + 0.1:
            sent_s, now_ns = time.monotonic(), time.time_ns()
            for publisher in publishers:
                publisher.publish(messages.image(now_ns))

    status = graph.status("input camera", "Hz", see)
    assert status.level == OK
    assert status.hardware_id == CAMERA
    assert int(values(status)["messages"]) > 0
    wanted = {"inference p50 (ms)", "publish p99 (ms)", "dropped", "memory (MB)"}
    graph.until(lambda: wanted <= values(graph.status("predictions", "", see)).keys())
    assert graph.status("synchronizer", "sets", see).level == OK


def test_a_node_that_is_not_active_says_so(graph) -> None:
    node = graph.perception(start=False)
    node.trigger_configure()

    graph.status("perception: state", "inactive")


def test_nobody_publishes(graph) -> None:
    graph.perception(output=SOON)

    status = graph.status("input camera", f"nothing publishes {CAMERA}")
    assert "'camera.topic'" in status.message
    assert status.level == WARN
    assert graph.status("input tactile_left", "nothing publishes").level == ERROR  # the anchor
    assert "'sync.anchor'" in graph.status("synchronizer", "gives no time").message


def test_topic_of_another_type(graph) -> None:
    graph.perception(output=SOON)
    graph.publisher(CAMERA, String)

    text = f"{CAMERA} is published as std_msgs/msg/String by /peer, not as sensor_msgs/msg/Image"
    graph.status("input camera", text)


def test_incompatible_qos(graph) -> None:
    graph.perception(output=SOON)
    graph.publisher(CAMERA, Image, QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))

    text = f"/peer publishes {CAMERA}, but it offers reliability best_effort, we request reliable"
    status = graph.status("input camera", text)
    assert "set parameter 'camera.reliability' to 'best_effort'" in status.message


def test_matched_and_silent(graph) -> None:
    graph.perception(output=SOON)
    graph.connected(CAMERA, Image)

    status = graph.status("input camera", f"/peer publishes {CAMERA} and is matched, but nothing")
    assert "it sends nothing; check that its sensor delivers" in status.message


def test_matched_and_silent_by_best_effort(graph, messages) -> None:
    best_effort = {"camera": {"reliability": "best_effort"}, "tactile_left": {}}
    graph.perception(output=SOON, streams=best_effort)
    publisher = graph.connected(CAMERA, Image)

    status = graph.status("input camera", f"/peer publishes {CAMERA} and is matched, but nothing")
    assert "is not known before one has come" in status.message
    assert "over 512 KiB are lost" in status.message
    assert "config/fastdds.xml" in status.message
    assert "set 'camera.reliability' to 'reliable'" in status.message
    graph.status("input camera", "Hz", lambda: publisher.publish(messages.image(time.time_ns())))
    graph.status("input camera", "Its last message had 2 KiB")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"encoding": "rgb9"}, "rgb9"),
        ({"height": 0, "width": 0}, "zero size"),
        ({"step": 95}, "step"),
        ({"height": 25}, "bytes"),
    ],
)
def test_images_that_cannot_be_decoded(graph, messages, fields, text) -> None:
    graph.perception()
    publisher = graph.connected(CAMERA, Image)

    status = graph.status(
        "input camera", text, lambda: publisher.publish(messages.image(time.time_ns(), **fields))
    )
    assert status.level == WARN
    assert any(key.startswith("refused: ") for key in values(status))


def test_nothing_of_the_anchor_can_be_decoded(graph, messages) -> None:
    graph.perception()
    publisher = graph.connected(FINGER, Image)
    bad = messages.image(1, encoding="rgb9")

    status = graph.status("input tactile_left", "rgb9", lambda: publisher.publish(bad))
    assert status.level == ERROR


def test_imu_that_is_not_a_number(graph, messages) -> None:
    graph.perception()
    publisher = graph.connected("/imu/data_raw", Imu)

    graph.status(
        "input imu", "NaN", lambda: publisher.publish(messages.imu(time.time_ns(), float("nan")))
    )


@pytest.mark.parametrize(
    ("stamp_ns", "text", "advice"),
    [
        (lambda: 0, "stamp is 0", "header.stamp"),
        (
            lambda: time.time_ns() + 10**11,
            "stamp in the future",
            "synchronize the machines' clocks",
        ),
        (lambda: time.time_ns() - 10**11, "s old when they arrive", "use_sim_time"),
        (lambda: 1_700_000_000 * 10**9, "duplicate stamp", "repeats stamps"),
    ],
)
def test_stamps(graph, messages, stamp_ns, text, advice) -> None:
    graph.perception()
    publisher = graph.connected(CAMERA, Image)

    status = graph.status(
        "input camera", text, lambda: publisher.publish(messages.image(stamp_ns()))
    )
    assert advice in status.message


def test_a_stamp_that_jumps_back_is_told_of_its_stream(graph, messages) -> None:
    graph.perception()
    publisher = graph.connected(CAMERA, Image)

    def see() -> None:
        for before_ns in (0, 5 * 10**9):
            publisher.publish(messages.image(time.time_ns() - before_ns))

    status = graph.status("input camera", "stamps: jumped back", see)
    assert "a driver whose clock is not steady" in status.message
    assert int(values(status)["jumps back"]) > 0


def test_streams_that_do_not_meet_in_time(graph, messages) -> None:
    graph.perception(streams={"camera": {"tolerance_s": 0.001}, "tactile_left": {}})
    finger, eye = graph.connected(FINGER, Image), graph.connected(CAMERA, Image)

    def see() -> None:
        now_ns = time.time_ns()
        eye.publish(messages.image(now_ns - 5_000_000))
        finger.publish(messages.image(now_ns))

    status = graph.status("input camera", "skew", see)
    assert "tolerance_s" in status.message
    assert "offset_s" in status.message


def test_a_required_stream_that_starves_stops_sets_by_name(graph, messages) -> None:
    graph.perception(streams={"camera": {"required": True}, "tactile_left": {}}, output=SOON)
    finger = graph.connected(FINGER, Image)

    status = graph.status(
        "synchronizer", "camera: absent", lambda: finger.publish(messages.image(time.time_ns()))
    )
    assert status.level == ERROR
    assert graph.status("input camera", "nothing publishes").level == ERROR
