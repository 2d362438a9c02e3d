"""Recordings through the real graph: bit-equal in lock-step, nothing lost in real time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import String

from xmodal_msgs.msg import Activity, GraspSuccess, MaterialClass
from xmodal_ros.core.errors import DataError, UserError
from xmodal_ros.core.settings import InferenceSettings, Settings
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.data.replay import observations
from xmodal_ros.eval.evaluate import predict
from xmodal_ros.eval.parity import compare, read_answers
from xmodal_ros.ros.play import Player, PlayOptions
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.predictor import Predictor

START_NS = 1_700_000_000_000_000_000
STREAMS = ("camera", "tactile_left", "tactile_right")
KINDS = {"material": MaterialClass, "grasp": GraspSuccess, "activity": Activity}
IMAGE, IMU = "sensor_msgs/msg/Image", "sensor_msgs/msg/Imu"


def header(time_ns: int) -> dict:
    stamp = {"sec": time_ns // 10**9, "nanosec": time_ns % 10**9}
    return {"stamp": stamp, "frame_id": "here"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2.4 s of two fingers and a camera at 10 Hz with jitter, an IMU at 100 Hz; one bad image."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("recordings") / "small"
    with RecordingWriter(path) as writer:
        for step in range(240):
            time_ns = START_NS + step * 10_000_000
            acceleration = dict(zip("xyz", map(float, rng.normal(size=3)), strict=True))
            imu = {"header": header(time_ns), "linear_acceleration": acceleration}
            writer.write("/imu/data_raw", IMU, time_ns, imu)
            for stream in STREAMS if step % 10 == 0 else ():
                stamp_ns = time_ns - int(rng.integers(0, 8_000_000))
                image = {
                    "header": header(stamp_ns),
                    "height": 24,
                    "width": 32,
                    "encoding": "rgb9" if step == 100 and stream == "camera" else "rgb8",
                    "step": 96,
                    "data": rng.integers(0, 255, 24 * 96, dtype=np.uint8),
                }
                writer.write(f"/{stream}/image_raw", IMAGE, time_ns, image)
        writer.write("/notes", "std_msgs/msg/String", time_ns, {"data": "the end"})
    return path


def answers_of(message) -> np.ndarray:
    """Probabilities of an answer, as 32-bit floats."""
    if isinstance(message, GraspSuccess):
        return np.array([message.probability], np.float32)
    return np.asarray(message.probabilities, np.float32)


def stamp_of(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


@pytest.fixture(scope="module")
def offline(recording: Path, tiny_bundle: Path) -> dict[str, dict[int, np.ndarray]]:
    """By head and stamp, the probabilities that the offline path gives."""
    bundle = Bundle.load(tiny_bundle)
    settings, windows = bundle.fit(Settings())
    found: dict[str, dict[int, np.ndarray]] = {head: {} for head in KINDS}
    with (
        Predictor(bundle, InferenceSettings(backend="torch", threads=1)) as predictor,
        Recording(recording) as opened,
    ):
        for observation in observations(opened, settings, windows):
            prediction = predictor.predict(observation)
            for name, head in prediction.heads.items():
                answer = head.probabilities[1:] if name == "grasp" else head.probabilities
                found[name][prediction.stamp_ns] = answer
    assert len(found["grasp"]) == 24
    assert found["activity"]
    return found


def start_node(processes, bundle: Path, *parameters: str):
    values = (f"inference.bundle:={bundle}", "inference.backend:=torch", "inference.threads:=1")
    assigned = [part for value in (*values, *parameters) for part in ("-p", value)]
    return processes.start("node", "--ros-args", *assigned)


def test_lock_step_is_bit_equal_to_offline(graph, processes, recording, offline) -> None:
    found = {head: graph.collect(f"/perception/{head}", kind) for head, kind in KINDS.items()}
    node = start_node(processes, graph.bundle, "output.lock_step:=true")
    # The player waits for the node alone: without this, the first answers may leave unheard.
    graph.until(lambda: all(graph.peer.count_publishers(f"/perception/{head}") for head in KINDS))
    player = processes.start("play", str(recording), "--lock-step", "--timeout", "60")
    graph.until(lambda: player.poll() is not None, timeout_s=90)
    assert player.returncode == 0, processes.output(player)
    graph.until(lambda: all(len(found[head]) >= len(offline[head]) for head in KINDS))

    for head, expected in offline.items():
        live = {stamp_of(message): answers_of(message) for message in found[head]}
        assert live.keys() == expected.keys()
        assert len(found[head]) == len(expected)  # each once
        for stamp_ns, answer in expected.items():
            assert live[stamp_ns].tobytes() == answer.tobytes()
    assert "rgb9" in processes.output(node)
    assert processes.stop(node) == 0


def test_activities_over_time_are_bit_equal_too(graph, processes, recording, tmp_path) -> None:
    """Limited rate, filter, begin of the current class: whole messages, with the IMU as anchor."""
    chosen = {
        "sync": {"anchor": "imu"},
        "output": {"max_rate_hz": 15.0},
        "smoothing": {"method": "hmm", "margin": 0.01, "hold_s": 0.1},
        "inference": {"bundle": str(graph.bundle), "backend": "torch", "threads": 1},
    }
    evaluation = predict(recording, tmp_path, Settings.from_mapping(chosen), lambda _: None)
    offline = read_answers(tmp_path / "predictions")
    steps_s = np.diff(evaluation.gathered.stamps_ns) * 1e-9
    assert steps_s.mean() == pytest.approx(1 / 15, rel=0.05)
    heads = [p.heads["activity"] for p in evaluation.gathered.heads["activity"]]
    assert not np.allclose(heads[-1].probabilities, heads[-1].over_time.raw)

    groups = ("sync", "output", "smoothing")
    parameters = [f"{g}.{name}:={value}" for g in groups for name, value in chosen[g].items()]
    live, heard = tmp_path / "live", []
    with RecordingWriter(live) as writer:
        for head, kind in KINDS.items():
            name = f"xmodal_msgs/msg/{kind.__name__}"

            def take(data: bytes, topic: str = f"/perception/{head}", name: str = name) -> None:
                heard.append(topic)
                writer.write_raw(topic, name, START_NS, data)

            graph.peer.create_subscription(kind, f"/perception/{head}", take, 1000, raw=True)
        node = start_node(processes, graph.bundle, "output.lock_step:=true", *parameters)
        graph.until(lambda: all(graph.peer.count_publishers(f"/perception/{h}") for h in KINDS))
        player = processes.start("play", str(recording), "--lock-step", "--timeout", "60")
        graph.until(lambda: player.poll() is not None and len(heard) >= len(offline))
        assert processes.stop(node) == 0
    assert compare(offline, read_answers(live)).complete


def test_real_time_loses_nothing(graph, processes, recording, offline) -> None:
    grasps = graph.collect("/perception/grasp", GraspSuccess)
    node = start_node(processes, graph.bundle, "use_sim_time:=true")
    graph.until(lambda: graph.peer.count_publishers("/perception/grasp"))  # or the first are lost
    waits = [f"--wait-for=/{stream}/image_raw" for stream in STREAMS]
    player = processes.start("play", str(recording), "--timeout", "60", *waits)
    graph.until(lambda: player.poll() is not None, timeout_s=90)
    assert player.returncode == 0, processes.output(player)

    def totals(part: str) -> dict[str, str]:
        return {pair.key: pair.value for pair in graph.status(part, "").values}

    # The clock stops with the recording, so that the last two sets may still wait for its time.
    graph.until(lambda: int(totals("synchronizer")["formed"]) >= len(offline["grasp"]) - 2)

    def all_accounted() -> bool:
        counts = totals("predictions")
        formed = int(totals("synchronizer")["formed"])
        published = int(counts["published"])
        return published + int(counts["dropped"]) == formed and published == len(grasps)

    graph.until(all_accounted)
    assert {stamp_of(message) for message in grasps} <= offline["grasp"].keys()
    assert processes.stop(node) == 0


def test_large_messages_reach_best_effort_subscribers(graph, processes, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with RecordingWriter(path) as writer:
        for step in range(10):
            time_ns = START_NS + step * 50_000_000
            image = {
                "header": header(time_ns),
                "height": 600,
                "width": 800,
                "encoding": "rgb8",
                "step": 2400,
                "data": np.zeros(600 * 2400, np.uint8),
            }
            writer.write("/large", IMAGE, time_ns, image)
    qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    images = graph.collect("/large", Image, qos)
    player = processes.start("play", str(path), "--wait-for", "/large", "--timeout", "60")
    graph.until(lambda: player.poll() is not None)

    assert player.returncode == 0
    # Best effort: a busy machine may lose some; without the profile none of this size arrives.
    graph.until(lambda: len(images) >= 5)


def test_a_loop_ends_cleanly_on_a_signal(graph, processes, recording) -> None:
    notes = graph.collect("/notes", String)
    player = processes.start("play", str(recording), "--loop", "--rate", "50", "--topic", "/notes")
    graph.until(lambda: len(notes) > 2)  # there is one in the recording

    assert processes.stop(player) == 0
    assert "stopped" in processes.output(player)


def player(graph, recording: Path, warn=lambda _: None, **options) -> Player:
    return Player(Recording(recording), PlayOptions(timeout_s=0.3, **options), warn)


def test_plays_what_is_asked_for(graph, recording) -> None:
    notes = graph.collect("/notes", String)
    images = graph.collect("/camera/image_raw", Image)
    made = player(graph, recording, topics=("/notes", "/camera/image_raw"), start_s=2.0, rate=50.0)
    graph.until(lambda: all(made._connected(t) for t in ("/notes", "/camera/image_raw")))
    progress = []

    assert made.play(lambda *p: progress.append(p)) == 5
    graph.until(lambda: notes and len(images) == 4)
    assert [count for _, count in progress] == [1, 2, 3, 4, 5]
    assert notes[0].data == "the end"
    made.close()


def test_topics_that_are_not_recorded(graph, recording) -> None:
    with pytest.raises(
        DataError, match=r"small: no topic /nose; expected some of /camera/image_raw"
    ):
        player(graph, recording, topics=("/nose",))


def test_nobody_to_wait_for(graph, recording) -> None:
    made = player(graph, recording, wait_for=("/notes",))
    with pytest.raises(UserError, match=r"/notes: nothing subscribes within 0.3 s"):
        made.play(lambda *_: None)
    made.close()


def test_no_node_in_lock_step(graph, recording) -> None:
    made = player(graph, recording, lock_step=True)
    text = r"/perception/flush: no service within 0.3 s; expected an active node with parameter"
    with pytest.raises(UserError, match=text):
        made.play(lambda *_: None)
    made.close()


def test_types_that_are_not_known_here_are_named_and_left_out(graph, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    with RecordingWriter(path) as writer:
        writer.write("/notes", "std_msgs/msg/String", START_NS, {"data": ""})
    text = (path / "metadata.yaml").read_text(encoding="utf-8")
    assert "std_msgs/msg/String" in text
    opened = Recording(path)
    topics = {**opened.topics, "/odd": replace(opened.topics["/notes"], type="acme/msg/Odd")}
    opened.topics = topics
    told: list[str] = []
    Player(opened, PlayOptions(), told.append).close()

    assert told[0].startswith(
        "topic /odd is left out: acme/msg/Odd: the message type is not known"
    )
    with pytest.raises(DataError, match="build the package 'acme'"):
        Player(opened, PlayOptions(topics=("/odd",)), told.append)
