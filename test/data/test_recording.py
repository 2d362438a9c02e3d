"""Recordings: what was written is read, and of damaged ones what is whole."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.typesys import get_types_from_msg

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.recording import Recording, RecordingWriter, Topic
from xmodal_ros.data.typestore import default_typestore

TOPICS = {
    "/camera/image_raw": Topic("sensor_msgs/msg/Image", 20),
    "/imu/data_raw": Topic("sensor_msgs/msg/Imu", 80),
    "/labels/grasp": Topic("std_msgs/msg/String", 1),
    "/lidar/points": Topic("sensor_msgs/msg/PointCloud2", 8),
    "/tactile_left/image_raw": Topic("sensor_msgs/msg/Image", 20),
    "/tactile_right/image_raw": Topic("sensor_msgs/msg/Image", 20),
}
SUFFIX = {"mcap": "mcap", "sqlite3": "db3"}


def by_rosbags(path: Path) -> list[tuple[str, int, bytes]]:
    with AnyReader([path]) as reader:
        return [(c.topic, time_ns, bytes(data)) for c, time_ns, data in reader.messages()]


def ours(path: Path) -> list[tuple[str, int, bytes]]:
    with Recording(path) as recording:
        return [(m.topic, m.log_time_ns, m.message) for m in recording.raw()]


def storage_file(path: Path) -> Path:
    return next(p for p in path.iterdir() if p.suffix in (".mcap", ".db3"))


def cut(file: Path, share: float) -> int:
    """Keep a share of a file; return how many bytes went."""
    data = file.read_bytes()
    keep = int(len(data) * share)
    file.write_bytes(data[:keep])
    return len(data) - keep


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("bare", [False, True])
def test_round_trip(tmp_path, write_recording, start_ns, storage, bare) -> None:
    path = write_recording(tmp_path / "r", storage)
    with Recording(storage_file(path) if bare else path) as recording:
        assert recording.topics == TOPICS
        assert recording.metadata == {"note": "a test"}
        assert recording.message_count == 149
        assert recording.start_ns == start_ns
        assert recording.end_ns == start_ns + 79 * 10_000_000
        assert recording.unread == ""
        assert not recording.unknown_types
    assert sorted(ours(path)) == sorted(by_rosbags(path))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_messages_of_some_topics_in_log_time_order(tmp_path, write_recording, storage) -> None:
    path = write_recording(tmp_path / "r", storage)
    wanted = ["/tactile_left/image_raw", "/imu/data_raw"]
    with Recording(path) as recording:
        messages = list(recording.messages(wanted))
    assert {m.topic for m in messages} == set(wanted)
    assert len(messages) == 100
    times = [m.log_time_ns for m in messages]
    assert times == sorted(times)
    first = next(m for m in messages if m.type == "sensor_msgs/msg/Image").message
    assert (first.height, first.width, first.data.size) == (96, 128, 96 * 128 * 3)


def test_chunks_that_overlap_in_time_are_merged(tmp_path) -> None:
    path = tmp_path / "r"
    times = np.random.default_rng(0).permutation(200) * 1000
    with RecordingWriter(path) as writer:
        for time_ns in times.tolist():
            data = "x" * 40_000  # some 25 messages per chunk
            writer.write("/t", "std_msgs/msg/String", time_ns, {"data": data})
    assert [time_ns for _, time_ns, _ in ours(path)] == sorted(times.tolist())
    assert ours(path) == by_rosbags(path)


def unchunk(file: Path) -> list[int]:
    """Rewrite an MCAP file as one without chunks and index; return where its records end."""
    data, end = file.read_bytes(), 8
    made, chunk = bytearray(data[:8]), b""
    while chunk is not None:
        opcode, length = struct.unpack_from("<BQ", data, end)
        record, end = data[end : end + 9 + length], end + 9 + length
        if opcode == 0x01:  # header
            made += record
        chunk = record[9 + 40 :] if opcode == 0x06 else b"" if opcode < 0x0F else None
        made += chunk or b""
    ends, position = [], 8
    while position < len(made):
        position += 9 + struct.unpack_from("<Q", made, position + 1)[0]
        ends.append(position)
    made += struct.pack("<BQI", 0x0F, 4, 0) + struct.pack("<BQQQI", 0x02, 20, 0, 0, 0) + data[:8]
    file.write_bytes(made)
    return ends


def test_a_file_without_chunks(tmp_path, write_recording) -> None:
    """As rosbag2's preset `fastwrite` makes them."""
    path = write_recording(tmp_path / "r")
    whole, file = ours(path), storage_file(path)
    ends = unchunk(file)
    assert sorted(ours(file)) == sorted(whole)
    with Recording(file) as recording:
        assert recording.topics == TOPICS
    cut(file, (ends[100] + 5) / file.stat().st_size)
    with Recording(file) as recording:
        read = [(m.topic, m.log_time_ns, m.message) for m in recording.raw()]
        assert set(read) <= set(whole)
        assert 80 < len(read) == recording.message_count < 100
        assert recording.unread.startswith("r.mcap: 5 of ")


def test_a_closed_recording_is_not_empty(tmp_path, write_recording) -> None:
    recording = Recording(write_recording(tmp_path / "r"))
    recording.close()
    recording.close()
    with pytest.raises(DataError, match="the recording is closed"):
        next(recording.messages())


@pytest.mark.parametrize(
    ("mode", "plugin"),
    [
        (CompressionMode.STORAGE, StoragePlugin.MCAP),
        (CompressionMode.MESSAGE, StoragePlugin.MCAP),
        (CompressionMode.MESSAGE, StoragePlugin.SQLITE3),
        (CompressionMode.FILE, StoragePlugin.SQLITE3),
    ],
)
def test_compressed_recordings(tmp_path, mode, plugin) -> None:
    store, path = default_typestore(), tmp_path / "r"
    writer = Writer(path, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    text = store.types["std_msgs/msg/String"]("hello " * 100)
    with writer:
        topic = writer.add_connection("/t", "std_msgs/msg/String", typestore=store)
        for k in range(50):
            writer.write(topic, k, store.serialize_cdr(text, "std_msgs/msg/String"))
    with Recording(path) as recording:
        assert [m.message.data for m in recording.messages()] == ["hello " * 100] * 50


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.999])
def test_a_cut_mcap_gives_what_is_whole(tmp_path, write_recording, compress, bare, share) -> None:
    path = tmp_path / "r"
    with RecordingWriter(path, compress=compress) as writer:
        source = write_recording(tmp_path / "source")
        for topic, time_ns, data in ours(source):
            writer.write_raw(topic, TOPICS[topic].type, time_ns, data)
    whole, file = ours(path), storage_file(path)
    cut(file, share)
    size = file.stat().st_size
    with Recording(file if bare else path) as recording:
        read = [(m.topic, m.log_time_ns, m.message) for m in recording.raw()]
        assert read == whole[: len(read)]
        assert recording.message_count == len(read)
        assert len(read) > 0.5 * share * len(whole)
        assert f"of {size} bytes" in recording.unread
        if len(read) < len(whole):
            assert f"{len(whole) - len(read)} of {len(whole)} messages" in recording.unread


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_cut_sqlite3_gives_what_is_whole(tmp_path, write_recording, bare, share) -> None:
    path = write_recording(tmp_path / "r", "sqlite3")
    whole, file = ours(path), storage_file(path)
    cut(file, share)
    with Recording(file if bare else path) as recording:
        read = [(m.topic, m.log_time_ns, m.message) for m in recording.raw()]
        assert set(read) <= set(whole)
        assert 0.5 * share * len(whole) < len(read) == recording.message_count
        if len(read) < len(whole):
            assert f"all behind its message {len(read)}" in recording.unread
            assert f"{len(whole) - len(read)} of {len(whole)} messages" in recording.unread


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_folder_without_metadata_is_read(tmp_path, write_recording, storage) -> None:
    path = write_recording(tmp_path / "r", storage)
    whole = ours(path)
    (path / "metadata.yaml").unlink()
    with Recording(path) as recording:
        assert recording.topics == TOPICS
        assert recording.metadata == {}
        assert recording.unread == ""
    assert sorted(ours(path)) == sorted(whole)


def test_files_of_a_split_recording_are_read_in_their_order(tmp_path) -> None:
    for k in (2, 10):  # by name, the tenth would come first
        with RecordingWriter(tmp_path / f"part_{k}") as writer:
            writer.write("/t", "std_msgs/msg/String", k, {"data": "a"})
            writer.write("/t", "std_msgs/msg/String", k + 1, {"data": "a"})
    folder = tmp_path / "whole"
    folder.mkdir()
    for k in (2, 10):
        shutil.copy(tmp_path / f"part_{k}" / f"part_{k}.mcap", folder / f"whole_{k}.mcap")
    with Recording(folder) as recording:
        assert recording.topics == {"/t": Topic("std_msgs/msg/String", 4)}
        assert [m.log_time_ns for m in recording.messages()] == [2, 3, 10, 11]
        assert (recording.start_ns, recording.end_ns) == (2, 11)
        assert recording.unread == ""


def test_a_file_that_cannot_be_read_at_all_does_not_spoil_the_others(
    tmp_path, write_recording
) -> None:
    path = write_recording(tmp_path / "r")
    (path / "metadata.yaml").unlink()
    (path / "r_1.mcap").write_bytes(b"rubbish")
    with Recording(path) as recording:
        assert recording.topics == TOPICS
        assert recording.unread == "r_1.mcap (not an MCAP file)"


def test_a_recorder_that_was_killed(tmp_path, write_recording) -> None:
    path = write_recording(tmp_path / "r")
    cut(storage_file(path), 0.6)
    (path / "metadata.yaml").unlink()
    with Recording(path) as recording:
        assert recording.message_count > 0
        assert recording.unread.startswith("r.mcap: ")


def test_a_damaged_chunk_ends_the_reading_and_is_told(tmp_path) -> None:
    path = tmp_path / "r"
    with RecordingWriter(path, compress=True) as writer:
        for k in range(500):
            text = " ".join(str(k * j) for j in range(2000))
            writer.write("/t", "std_msgs/msg/String", k, {"data": text})
    file = storage_file(path)
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1000] = bytes(1000)
    file.write_bytes(data)
    with Recording(path) as recording:
        read = list(recording.raw())
        assert 0 < len(read) < recording.message_count
        missing = recording.message_count - len(read)
        for _ in range(2):  # reading again tells it once
            assert recording.unread.startswith(
                f"{missing} of {recording.message_count} messages ("
            )
            assert recording.unread.count("messages") == 1
            assert len(list(recording.raw())) == len(read)


def test_a_message_that_is_not_what_it_says_is_left_out(tmp_path) -> None:
    path = tmp_path / "r"
    with RecordingWriter(path) as writer:
        writer.write("/t", "std_msgs/msg/String", 1, {"data": "good"})
        writer.write_raw("/t", "std_msgs/msg/String", 2, b"\0\1\0\0\xff\xff\xff\0")
        writer.write_raw("/t", "std_msgs/msg/String", 3, b"")
        writer.write("/t", "std_msgs/msg/String", 4, {"data": "good"})
    with Recording(path) as recording:
        assert [m.log_time_ns for m in recording.messages()] == [1, 4]
        assert recording.unread.startswith("2 messages of /t (")


@pytest.mark.parametrize("name", ["no.mcap", "no"])
def test_nothing_there(tmp_path, name) -> None:
    with pytest.raises(DataError, match=f"{name}: no such recording"):
        Recording(tmp_path / name)


@pytest.mark.parametrize("name", ["r.mcap", "r.db3", "r.txt"])
@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000])
def test_what_is_no_recording(tmp_path, name, content) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: cannot be read .*expected a rosbag2 folder"):
        Recording(tmp_path / name)


def test_a_folder_without_a_recording(tmp_path) -> None:
    with pytest.raises(DataError, match=r"cannot be read .*expected a rosbag2 folder"):
        Recording(tmp_path)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_an_empty_recording(tmp_path, storage) -> None:
    path = tmp_path / "r"
    with RecordingWriter(path, storage=storage):
        pass
    with pytest.raises(DataError, match=r"r: holds no message$"):
        Recording(path)


def test_a_recording_cut_before_its_first_message(tmp_path, write_recording) -> None:
    path = write_recording(tmp_path / "r")
    cut(storage_file(path), 0.0001)
    with pytest.raises(DataError, match=r"holds no message; r\.mcap: \d+ of \d+ bytes cannot be"):
        Recording(path)


def test_a_topic_that_is_not_there_lists_those_that_are(tmp_path, write_recording) -> None:
    with (
        Recording(write_recording(tmp_path / "r")) as recording,
        pytest.raises(DataError, match=r"no topic /a, /b; expected one of its topics: /camera/im"),
    ):
        next(recording.messages(["/a", "/imu/data_raw", "/b"]))


@pytest.fixture
def with_unknown(tmp_path) -> Path:
    """A sqlite3 recording as before ROS 2 Iron, without definitions, with a type of its own."""
    path, store = tmp_path / "r", default_typestore()
    kind = "acme_msgs/msg/Thing"
    with RecordingWriter(path, storage="sqlite3") as writer:
        writer.write("/known", "std_msgs/msg/String", 1, {"data": "a"})
        types = get_types_from_msg("int32 x", kind)
        other = type(store)()
        other.register(types)
        writer.store = other
        writer.write("/thing", kind, 2, {"x": 5})
    with sqlite3.connect(path / "r.db3") as database:
        database.execute("DELETE FROM message_definitions")
    return path


def test_an_unknown_type_spoils_only_its_topics(with_unknown) -> None:
    with Recording(with_unknown) as recording:
        assert recording.unknown_types == {"acme_msgs/msg/Thing"}
        assert [m.topic for m in recording.messages()] == ["/known"]
        assert [m.topic for m in recording.raw()] == ["/known", "/thing"]
        text = r"r: type not known: /thing \(acme_msgs/msg/Thing\); expected a recording that"
        with pytest.raises(DataError, match=text):
            next(recording.messages(["/thing"]))


def test_embedded_definitions_are_used(tmp_path) -> None:
    path, kind = tmp_path / "r", "acme_msgs/msg/Thing"
    with RecordingWriter(path) as writer:
        other = type(writer.store)()
        other.register(get_types_from_msg("int32 x", kind))
        writer.store = other
        writer.write("/thing", kind, 2, {"x": 5})
    with Recording(path) as recording:
        assert [m.message.x for m in recording.messages()] == [5]


def test_our_own_messages(tmp_path) -> None:
    path, kind = tmp_path / "r", "xmodal_msgs/msg/MaterialClass"
    fields = {"label": "Wood", "probabilities": [0.25, 0.75], "info": {"streams": ["camera"]}}
    with RecordingWriter(path) as writer:
        writer.write("/material", kind, 7, fields)
    with Recording(path) as recording:
        (message,) = (m.message for m in recording.messages())
    assert (message.label, message.info.streams) == ("Wood", ["camera"])
    np.testing.assert_array_equal(message.probabilities, [0.25, 0.75])


def test_a_field_that_does_not_exist_is_named(tmp_path) -> None:
    with (
        RecordingWriter(tmp_path / "r") as writer,
        pytest.raises(DataError, match="std_msgs/msg/String: no field text; expected one of data"),
    ):
        writer.write("/t", "std_msgs/msg/String", 0, {"text": "a"})


def test_an_existing_folder_is_not_overwritten(tmp_path) -> None:
    with pytest.raises(DataError, match=r"exists already. Choose another path, or remove it"):
        RecordingWriter(tmp_path)


def test_metadata_of_a_folder_is_not_taken_for_another_file(tmp_path, write_recording) -> None:
    path = write_recording(tmp_path / "r")
    shutil.copy(path / "r.mcap", path / "other.mcap")
    with Recording(path / "other.mcap") as recording:
        assert recording.metadata == {}


def test_metadata_that_lies_about_files_is_not_believed(tmp_path, write_recording) -> None:
    path = write_recording(tmp_path / "r")
    text = yaml.safe_load((path / "metadata.yaml").read_text())
    text["rosbag2_bagfile_information"]["relative_file_paths"] = ["gone.mcap"]
    (path / "metadata.yaml").write_text(yaml.safe_dump(text))
    with Recording(path) as recording:
        assert recording.topics == TOPICS


@pytest.mark.parametrize("written", [1, 400])
def test_without_room_it_says_what_to_do(tmp_path, written):
    """A chunk is written when it is full, or at the end."""
    message = {"data": np.random.default_rng(0).bytes(4000).hex()}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def write() -> None:
        with RecordingWriter(tmp_path / "full") as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
            for k in range(written):
                writer.write("/said", "std_msgs/msg/String", k, message)

    try:
        with pytest.raises(DataError, match=r"full: cannot be written \(.*\)\. Make room, and"):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
