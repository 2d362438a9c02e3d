"""Recordings and data sets of the simulated cell as tracks."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial import read_tracks
from xmodal_ros.data.splits import write_split


def test_an_imu_topic_with_the_label_topic(tmp_path, record, track, start_ns) -> None:
    record(tmp_path / "run", labels=[(0.5, "reach"), (1.0, "grasp"), (2.0, "")])
    data = read_tracks(tmp_path)
    assert (data.kind, data.split, data.problems) == ("recordings", "disjoint", ())
    (found,) = data.tracks
    assert (found.session, found.subject, found.device) == ("run", "run", "imu")
    np.testing.assert_array_equal(found.times_ns, track.times_ns[:300])
    assert found.values.shape == (300, 6)
    np.testing.assert_allclose(np.linalg.norm(found.values[:, :3], axis=1), 9.81, atol=0.2)
    spans = [(s - start_ns, e - start_ns, label) for s, e, label in found.labels]
    assert spans == [
        (500_000_000, 1_000_000_000, "reach"),
        (1_000_000_000, 2_000_000_000, "grasp"),
    ]
    assert data.classes == ("grasp", "reach")


def test_the_last_label_ends_with_the_track(tmp_path, record, start_ns) -> None:
    record(tmp_path / "run", labels=[(0.0, "idle")])
    (found,) = read_tracks(tmp_path).tracks
    assert found.labels == ((start_ns, start_ns + 3_000_000_000, "idle"),)


def test_the_sidecar_replaces_the_topic(tmp_path, record, start_ns) -> None:
    record(tmp_path / "run", labels=[(0.0, "idle")])
    second = [str(Decimal(start_ns) / 10**9 + k) for k in (1, 2)]
    (tmp_path / "labels.csv").write_text(
        f"recording,start_s,end_s,head,label\nrun,{second[0]},{second[1]},activity,shake\n"
    )
    (found,) = read_tracks(tmp_path).tracks
    assert [label for _, _, label in found.labels] == ["shake"]
    assert found.labels[0].start_ns == start_ns + 10**9


def test_streams_topics_and_offsets_come_from_settings(tmp_path, record, track) -> None:
    record(tmp_path / "run", topic="/wrist/imu")
    (tmp_path / "settings.yaml").write_text(
        "streams:\n  wrist: {modality: imu, topic: /wrist/imu, offset_s: -0.02}\n"
    )
    (found,) = read_tracks(tmp_path).tracks
    assert found.device == "wrist"
    np.testing.assert_array_equal(found.times_ns, track.times_ns[:300] - 20_000_000)


def test_samples_that_are_no_numbers_are_left_out_and_told(tmp_path, record) -> None:
    record(tmp_path / "run", bad=(3, 4))
    data = read_tracks(tmp_path)
    assert len(data.tracks[0].times_ns) == 298
    assert [str(p) for p in data.problems] == [
        f"unreadable: {tmp_path / 'run'}:/imu/data_raw: 2 of 300 messages: specific force or "
        "angular rate is NaN or infinite"
    ]


def test_recordings_that_cannot_be_used_are_named(tmp_path, record) -> None:
    record(tmp_path / "nan", bad=range(300))
    record(tmp_path / "other", topic="/elsewhere")
    (tmp_path / "rubbish.mcap").write_bytes(b"rubbish")
    data = read_tracks(tmp_path)
    assert data.tracks == ()
    told = {p.where.rpartition("/")[2]: p.what for p in data.problems}
    assert told.keys() == {"nan", "other", "rubbish.mcap"}
    assert told["nan"] == (
        "no message of /imu/data_raw can be used: specific force or angular rate is "
        "NaN or infinite"
    )
    assert told["other"].startswith("no topic 'imu/data_raw' of stream 'imu'")


def test_a_second_imu_is_read_though_the_first_one_is_missing(tmp_path, record) -> None:
    record(tmp_path / "run", topic="/wrist/imu")
    (tmp_path / "settings.yaml").write_text(
        "streams:\n"
        "  elbow: {modality: imu, topic: /elbow/imu}\n"
        "  wrist: {modality: imu, topic: /wrist/imu}\n"
    )
    data = read_tracks(tmp_path)
    assert [track.device for track in data.tracks] == ["wrist"]
    (problem,) = data.problems
    assert "no topic '/elbow/imu' of stream 'elbow'" in problem.what


def test_a_data_set_of_the_simulated_cell(tmp_path, record) -> None:
    for name in ("episode_000000", "episode_000001"):
        record(tmp_path / name, labels=[(0.0, "idle")])
    rows = [
        (f"{name}/{name}.mcap", name, part)
        for name, part in (("episode_000000", "train"), ("episode_000001", "test"))
    ]
    write_split(tmp_path / "split.csv", tmp_path, rows)
    settings = {"episode": {"clocks": {"imu": {"rate_hz": 100.0}}}}
    (tmp_path / "dataset.json").write_text(json.dumps({"settings": settings, "episodes": []}))
    data = read_tracks(tmp_path)
    assert (data.kind, data.split) == ("simulated_cell", "official")
    assert [(t.subject, t.part, t.rate_hz) for t in data.tracks] == [
        ("episode_000000", "train", 100.0),
        ("episode_000001", "test", 100.0),
    ]
    assert len(data.part("test")) == 1
    assert read_tracks(tmp_path, "simulated_cell").kind == "simulated_cell"


def test_folders_that_are_no_data_set(tmp_path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such folder\. Check the data set's path"):
        read_tracks(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is no data set of inertial sensors that is known by its"):
        read_tracks(tmp_path)
    with pytest.raises(DataError, match="unknown kind 'pamap'; expected one of mmact, imu_act"):
        read_tracks(tmp_path, "pamap")
