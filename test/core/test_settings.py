"""Settings: defaults, round trip, and the text of every refusal."""

from __future__ import annotations

import re

import pytest

from xmodal_ros.core.declare import describe, from_mapping
from xmodal_ros.core.errors import SettingsError
from xmodal_ros.core.settings import (
    InferenceSettings,
    OutputSettings,
    Settings,
    StreamSettings,
    SyncSettings,
)

GROUPS = [StreamSettings, SyncSettings, InferenceSettings, OutputSettings]


def test_an_empty_mapping_gives_the_defaults():
    assert Settings.from_mapping({}) == Settings()
    assert Settings.from_mapping({"sync": None, "streams": None}) == Settings()


def test_the_mapping_of_settings_gives_equal_settings():
    settings = Settings.from_mapping(
        {
            "streams": {
                "tactile_left": {"required": True},
                "wrist": {"modality": "camera", "topic": "wrist/image", "offset_s": -0.02},
            },
            "sync": {"timeout_s": 0.3, "anchor": "wrist"},
            "inference": {"backend": "torch"},
            "output": {"embeddings": True},
        }
    )
    assert Settings.from_mapping(settings.to_mapping()) == settings
    assert Settings.from_mapping(Settings().to_mapping()) == Settings()


def test_naming_streams_replaces_them_and_a_default_stream_keeps_its_other_defaults():
    settings = Settings.from_mapping({"streams": {"lidar": {"topic": "velodyne_points"}}})
    (lidar,) = settings.streams
    assert (lidar.topic, lidar.modality, lidar.wait) == ("velodyne_points", "lidar", False)


def test_the_anchor_is_the_one_named_else_the_first_tactile_stream_else_the_first():
    assert Settings().anchor.name == "tactile_left"
    assert Settings.from_mapping({"sync": {"anchor": "imu"}}).anchor.name == "imu"
    assert Settings.from_mapping({"streams": {"imu": {}, "camera": {}}}).anchor.name == "imu"


def test_a_stream_has_its_modalitys_message_type_unless_one_is_named():
    assert StreamSettings(name="i", modality="imu").message_type == "sensor_msgs/msg/Imu"
    compressed = "sensor_msgs/msg/CompressedImage"
    assert StreamSettings(name="c", type=compressed).message_type == compressed


def test_whole_numbers_are_taken_for_fractions():
    assert from_mapping(SyncSettings, {"timeout_s": 1}, "sync").timeout_s == 1.0


@pytest.mark.parametrize("group", GROUPS)
def test_every_setting_says_what_it_is(group):
    for row in describe(group, "x."):
        assert row.name.startswith("x.")
        assert row.doc
        assert row.doc[0].islower() or row.doc.startswith(("QoS", "CPU"))
        if isinstance(row.default, float):
            assert row.unit
            assert row.low is not None
        if row.name.endswith("_s"):
            assert row.unit == "s"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"snyc": {}},
            "settings: unknown group 'snyc'. Did you mean 'sync'?",
        ),
        (
            {"sync": {"timeout": 1.0}},
            "sync: unknown setting 'timeout'. Did you mean 'timeout_s'?",
        ),
        (
            {"inference": {"zzz": 1}},
            "inference: unknown setting 'zzz'. Known: bundle, taught, backend, device, precision, "
            "threads",
        ),
        ({"sync": {"timeout_s": "1"}}, "sync.timeout_s: got '1'; expected a number"),
        ({"sync": {"timeout_s": True}}, "sync.timeout_s: got True; expected a number"),
        ({"output": {"embeddings": 1}}, "output.embeddings: got 1; expected true or false"),
        (
            {"sync": {"max_messages": 2.5}},
            "sync.max_messages: got 2.5; expected a whole number",
        ),
        (
            {"sync": {"timeout_s": -1.0}},
            "sync.timeout_s: got -1.0; expected a value from 0.0 to 10.0 s",
        ),
        (
            {"sync": {"timeout_s": float("nan")}},
            "sync.timeout_s: got nan; expected a value from 0.0 to 10.0 s",
        ),
        (
            {"sync": {"max_messages": float("inf")}},
            "sync.max_messages: got inf; expected a whole number",
        ),
        (
            {"inference": {"backend": "tensorrt"}},
            "inference.backend: got 'tensorrt'; expected one of auto, torch, openvino, "
            "onnxruntime",
        ),
        (
            {"streams": {"gel": {}}},
            "streams.gel: modality is not set; expected one of camera, tactile, imu, lidar",
        ),
        (
            {"streams": {"gel": {"modality": "touch"}}},
            "streams.gel.modality: got 'touch'; expected one of camera, tactile, imu, lidar",
        ),
        (
            {"streams": {"camera": {"topik": "x"}}},
            "streams.camera: unknown setting 'topik'. Did you mean 'topic'?",
        ),
        (
            {"sync": {"anchor": "gel"}},
            "sync.anchor: no stream is named 'gel'; expected one of camera, tactile_left, "
            "tactile_right, imu, lidar",
        ),
        ({"sync": [1]}, "sync: got [1]; expected names and values"),
        ({"streams": "camera"}, "streams: got 'camera'; expected names and values"),
        ({"streams": {"camera": 3}}, "streams.camera: got 3; expected names and values"),
    ],
)
def test_a_mistake_is_refused_with_its_name_and_what_was_expected(values, text):
    with pytest.raises(SettingsError, match="^" + re.escape(text) + "$"):
        Settings.from_mapping(values)


def test_streams_need_distinct_names():
    with pytest.raises(SettingsError, match="streams: no stream is named; expected at least one"):
        Settings(streams=())
    stream = StreamSettings(name="a")
    with pytest.raises(SettingsError, match="streams: a stream is named twice"):
        Settings(streams=(stream, stream))
