"""imu_activity as tracks, made in small and on the real one where it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial import by_session, read_tracks
from xmodal_ros.data.inertial.problems import problems
from xmodal_ros.data.splits import FOLDER, load_split

LABELS = ["SEATED", "WALKING"]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "meta.json").write_text(json.dumps({"labels": LABELS}))
    save(tmp_path / "s77.npz")
    return tmp_path


def save(path, devices=("sw", "sp"), labels=(0, 0, 1, 1, 0)) -> None:
    arrays = {}
    for device in devices:
        arrays[f"s77_01_{device}_x"] = np.arange(30, dtype=np.float32).reshape(5, 6)
        arrays[f"s77_01_{device}_t"] = np.array([1000, 1010, 1020, 1020, 1040])
        arrays[f"s77_01_{device}_y"] = np.array(labels, np.uint8)
    np.savez(path, **arrays)


def test_devices_of_a_run_are_tracks_of_one_session(root) -> None:
    data = read_tracks(root)
    assert (data.kind, data.split, data.classes) == ("imu_activity", "project", tuple(LABELS))
    (together,) = by_session(data.tracks)
    assert [(t.session, t.subject, t.device) for t in together] == [
        ("s77_01", "s77", "watch"),
        ("s77_01", "s77", "phone"),
    ]
    track = together[0]
    assert track.values.dtype == np.float64
    np.testing.assert_array_equal(track.vector("angular_rate")[1], (9, 10, 11))
    assert track.vector("orientation") is None
    assert track.labels == (
        (1_000_000_000, 1_020_000_000, "SEATED"),
        (1_020_000_000, 1_040_000_000, "WALKING"),
        (1_040_000_000, 1_050_000_000, "SEATED"),
    )


def test_a_person_whom_the_split_does_not_name_is_in_no_part(root) -> None:
    data = read_tracks(root)
    assert {track.part for track in data.tracks} == {""}
    with pytest.raises(DataError, match="no part 'train'; expected one of none"):
        data.part("train")


def test_what_is_missing_or_broken_is_named(root) -> None:
    save(root / "s77.npz", devices=("sp",), labels=(0, 1, 2, 0, 0))
    (root / "s78.npz").write_bytes(b"PK\x03\x04rubbish")
    found = read_tracks(root)
    assert found.tracks == ()
    assert [(p.kind, p.where.removeprefix(str(root))) for p in found.problems] == [
        ("missing", "/s77.npz"),
        ("label", "/s77.npz:s77_01_sp"),
        ("unreadable", "/s78.npz"),
        ("unreadable", "/s78.npz"),
    ]
    assert found.problems[0].what == "no run of the watch"
    assert found.problems[1].what == "5 labels up to 2; expected 5 of 0 to 1"


def test_a_file_that_is_not_what_the_split_was_made_of(root) -> None:
    save(root / "s01.npz")
    assert [str(p) for p in read_tracks(root).problems] == [
        f"changed: {root / 's01.npz'}: not what the split was made of"
    ]


def test_the_real_one(shared_data) -> None:
    data = read_tracks(shared_data / "imu_activity")
    assert data.problems == ()
    assert len(data.tracks) == 350
    split = load_split(FOLDER / "imu_activity.csv")
    for part in ("train", "test"):
        assert {track.subject for track in data.part(part)} == set(split.groups(part))
    watches = [track for track in data.tracks if track.device == "watch"]
    assert {p.what for track in watches for p in problems(track)} == set()
    phones = [track for track in data.tracks if track.device == "phone"]
    # Their samples come in bursts that share stamps; nothing else is wrong with them.
    assert {p.kind for track in phones for p in problems(track)} == {"gap", "stamps"}
