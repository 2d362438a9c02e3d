"""Offline replay: what comes out, what is refused, and that it is what a live node does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.sync import EventClock, Synchronizer
from xmodal_ros.core.windows import Clip, Resampled
from xmodal_ros.data.decode import decode
from xmodal_ros.data.fields import cloud_fields, image_fields, imu_fields
from xmodal_ros.data.ingest import Ingest
from xmodal_ros.data.recording import Recording, RecordingWriter
from xmodal_ros.data.replay import find_topics, observations

WINDOWS = {
    "tactile_left": Clip(3, 0.08),
    "tactile_right": Clip(3, 0.08),
    "imu": Resampled(10, 100.0),
}


def settings(**streams: dict) -> Settings:
    """The default streams with some settings changed."""
    every = {name: {} for name in ("camera", "tactile_left", "tactile_right", "imu", "lidar")}
    return Settings.from_mapping({"streams": every | streams})


@pytest.fixture
def path(tmp_path, write_recording) -> Path:
    return write_recording(tmp_path / "r")


def test_every_anchor_gives_an_observation(path, start_ns) -> None:
    with Recording(path) as recording:
        replay = observations(recording, settings(), WINDOWS)
        seen = list(replay)
    assert [o.stamp_ns for o in seen] == [start_ns + k * 40_000_000 for k in range(20)]
    last = seen[-3]
    assert set(last.present) == {"camera", "tactile_left", "tactile_right", "imu", "lidar"}
    assert [f.shape for f in last.streams["tactile_left"].frames] == [(96, 128, 3)] * 3
    assert last.streams["imu"].data.shape == (10, 6)
    assert last.streams["lidar"].data.shape == (50, 4)
    assert replay.health.formed == 20
    assert replay.errors == {}


def test_it_is_what_decoding_and_pushing_by_hand_gives(path) -> None:
    chosen = settings()
    with Recording(path) as recording:
        replayed = list(observations(recording, chosen, WINDOWS))
    sync = Synchronizer(chosen.streams, WINDOWS, chosen.sync, "tactile_left")
    clock, by_hand = EventClock(chosen.sync), []
    with Recording(path) as recording:
        for topic, kind, _, message in recording.messages():
            for stream in chosen.streams:
                if topic == f"/{stream.topic}":
                    sample = decode(message, kind, stream.modality)
                    now_ns = clock.advance(stream.name, sample.stamp_ns)
                    by_hand += sync.push(stream.name, sample, now_ns)
    by_hand += sync.flush()
    assert len(replayed) == len(by_hand)
    for one, other in zip(replayed, by_hand, strict=True):
        assert (one.stamp_ns, one.missing) == (other.stamp_ns, other.missing)
        for name, data in one.streams.items():
            np.testing.assert_array_equal(data.data, other.streams[name].data)
            np.testing.assert_array_equal(data.frames, other.streams[name].frames)


def test_undecodable_messages_are_counted_and_told(tmp_path, write_recording) -> None:
    path = write_recording(tmp_path / "bad", encoding="nv21")
    with Recording(path) as recording:
        chosen = Settings.from_mapping(
            {
                "streams": {"camera": {}, "tactile_left": {}, "imu": {}},
                "sync": {"anchor": "camera"},
            }
        )
        replay = observations(recording, chosen, {})
        seen = list(replay)
    assert len(seen) == 20
    assert seen[5].missing == {"tactile_left": "refused"}
    health = replay.health.streams["tactile_left"]
    assert health.received == 20
    assert health.refused == Counter({"unknown encoding 'nv21'": 20})
    assert replay.errors["tactile_left"].startswith(
        "tactile_left/image_raw: unknown encoding 'nv21'; expected one of rgb8"
    )


def test_without_the_anchor_topic_it_lists_what_there_is(path) -> None:
    with Recording(path) as recording, pytest.raises(DataError) as caught:
        observations(recording, settings(tactile_left={"topic": "left"}), WINDOWS)
    text = str(caught.value)
    assert "no topic 'left' of stream 'tactile_left' (the anchor)" in text
    assert "/camera/image_raw, /imu/data_raw" in text
    cure = "if there is none, leave it out of 'streams' or name another in 'sync.anchor'."
    assert text.endswith(f"Set streams.tactile_left.topic; {cure}")


def test_a_required_topic_must_be_there_an_optional_one_not(path) -> None:
    chosen = settings(camera={"topic": "other", "required": True})
    with Recording(path) as recording:
        with pytest.raises(DataError, match=r"no topic 'other' of stream 'camera' \(required\)"):
            observations(recording, chosen, WINDOWS)
        replay = observations(recording, settings(camera={"topic": "other"}), WINDOWS)
        assert "camera" not in replay.topics
        assert len(list(replay)) == 20


def test_a_topic_of_another_type_is_refused(path) -> None:
    chosen = settings(camera={"type": "sensor_msgs/msg/CompressedImage"})
    text = "topic /camera/image_raw is sensor_msgs/msg/Image; expected sensor_msgs/msg/Compressed"
    with Recording(path) as recording, pytest.raises(DataError, match=text):
        observations(recording, chosen, WINDOWS)


@pytest.fixture
def namespaced(tmp_path) -> Path:
    path = tmp_path / "n"
    with RecordingWriter(path) as writer:
        for name in ("/a/camera/image_raw", "/b/camera/image_raw", "/b/imu/data_raw"):
            kind = "sensor_msgs/msg/Imu" if "imu" in name else "sensor_msgs/msg/Image"
            writer.write(name, kind, 1, {})
    return path


def test_a_relative_topic_is_found_under_a_namespace(namespaced) -> None:
    chosen = Settings.from_mapping({"streams": {"imu": {}}})
    with Recording(namespaced) as recording:
        assert find_topics(recording, chosen) == {"imu": "/b/imu/data_raw"}


def test_an_ambiguous_topic_is_refused(namespaced) -> None:
    chosen = Settings.from_mapping({"streams": {"camera": {}}})
    text = "'camera/image_raw' fits /a/camera/image_raw, /b/camera/image_raw; expected one topic"
    with Recording(namespaced) as recording, pytest.raises(DataError, match=text):
        find_topics(recording, chosen)


def test_an_absolute_topic_is_meant_as_it_is(namespaced) -> None:
    chosen = Settings.from_mapping({"streams": {"imu": {"topic": "/imu/data_raw"}}})
    with Recording(namespaced) as recording, pytest.raises(DataError, match="no topic '/imu/"):
        find_topics(recording, chosen)


def test_one_topic_can_feed_two_streams(path) -> None:
    same = {"topic": "tactile_left/image_raw"}
    with Recording(path) as recording:
        seen = list(observations(recording, settings(tactile_right=same), WINDOWS))
    for observation in seen:
        left, right = (observation.streams[f"tactile_{side}"].data for side in ("left", "right"))
        np.testing.assert_array_equal(left, right)


def test_ingest_calls_back_for_what_it_refuses(rosbags_message) -> None:
    refused = []
    ingest = Ingest(settings(), WINDOWS, lambda stream, error: refused.append((stream, error)))
    sample = np.array([np.nan, 0, 0, 0, 0, 0])
    message = rosbags_message("sensor_msgs/msg/Imu", imu_fields(1, "i", sample))
    assert ingest.message("imu", message) == []
    ((stream, error),) = refused
    assert stream == "imu"
    assert str(error) == ingest.errors["imu"]


def test_ingest_counts_points_that_are_dropped(rosbags_message) -> None:
    ingest = Ingest(settings(), WINDOWS)
    points = np.zeros((5, 4), np.float32)
    points[[0, 3], 1] = np.nan
    for stamp_ns in (1, 2):
        fields = cloud_fields(stamp_ns, "l", points)
        ingest.message("lidar", rosbags_message("sensor_msgs/msg/PointCloud2", fields))
    assert ingest.dropped_points == {"lidar": 4}


def test_ingest_takes_a_clock_of_the_caller(rosbags_message) -> None:
    ingest = Ingest(settings(), WINDOWS)
    image = np.zeros((4, 4, 3), np.uint8)
    message = rosbags_message("sensor_msgs/msg/Image", image_fields(10_000_000_000, "g", image))
    ingest.message("tactile_left", message, now_ns=5_000_000_000)
    refused = ingest.health.streams["tactile_left"].refused
    assert refused == Counter({"stamp in the future": 1})


def test_ingest_starts_anew_after_clear(rosbags_message) -> None:
    ingest = Ingest(settings(), WINDOWS)
    image = np.zeros((4, 4, 3), np.uint8)

    def push(stamp_ns: int) -> int:
        fields = image_fields(stamp_ns, "g", image)
        message = rosbags_message("sensor_msgs/msg/Image", fields)
        return len(ingest.message("tactile_left", message))

    push(100_000_000_000)
    ingest.clear()
    push(1_000_000_000)
    assert [o.stamp_ns for o in ingest.flush()] == [1_000_000_000]
    assert ingest.health.clock_resets == 0
