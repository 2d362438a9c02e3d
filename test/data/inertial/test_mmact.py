"""MMAct, on a tree in its layout with everything that is known to be odd about it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.data.inertial import by_session, read_tracks
from xmodal_ros.data.inertial.mmact import CLASSES

BEGIN = datetime(2018, 10, 22, 11, 8, 23)


def clip(root: Path, sensor: str, place: str, name: str, count: int = 5, hz: int = 100) -> Path:
    """Rows as Python's str() gives times: a whole second has no fraction."""
    path = root / sensor / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    times = [BEGIN + timedelta(seconds=k / hz) for k in range(count)]
    stamps = [t.strftime("%Y%m%d_%H:%M:%S" + (".%f" if t.microsecond else "")) for t in times]
    path.write_text("".join(f"{s},{k}.5,-9.8,{k}\n" for k, s in enumerate(stamps)))
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    """One clip of all sensors, of a person that is trained on."""
    for sensor in ("acc_watch_clip", "acc_phone_clip", "gyro_clip", "orientation_clip"):
        hz = 100 if sensor.startswith("acc") else 50
        clip(tmp_path, sensor, "subject1/scene1/session2", "walking.csv", 120, hz)
    return tmp_path


def test_sensors_of_a_clip_are_tracks_of_one_session(root) -> None:
    data = read_tracks(root)
    assert (data.kind, data.split, data.problems) == ("mmact", "cross_subject", ())
    (together,) = by_session(data.tracks)
    found = {(t.device, t.quantities): (t.rate_hz, len(t.times_ns)) for t in together}
    assert found == {
        ("watch", ("acceleration",)): (100.0, 120),
        ("phone", ("acceleration",)): (100.0, 120),
        ("phone", ("angular_rate",)): (50.0, 120),
        ("phone", ("orientation",)): (50.0, 120),
    }
    assert [c.unit for c in together[3].channels] == ["deg"] * 3
    np.testing.assert_array_equal(together[0].values[2], (2.5, -9.8, 2.0))


def test_a_whole_second_lacks_its_fraction(root) -> None:
    (track, *_) = read_tracks(root).tracks
    text = Path(track.where).read_text().splitlines()
    assert text[0].split(",")[0] == "20181022_11:08:23"
    assert text[1].split(",")[0] == "20181022_11:08:23.010000"
    begin_ns = round(BEGIN.replace(tzinfo=timezone.utc).timestamp()) * 10**9
    np.testing.assert_array_equal(track.times_ns - begin_ns, np.arange(120) * 10_000_000)
    assert track.labels == ((begin_ns, begin_ns + 1_200_000_000, "walking"),)


def test_all_35_classes_are_read_by_their_whole_name(tmp_path) -> None:
    for name in CLASSES:
        clip(tmp_path, "acc_watch_clip", "subject2/scene1/session1", f"{name}.csv")
    data = read_tracks(tmp_path)
    assert len(CLASSES) == len(data.tracks) == 35
    assert sorted(track.labels[0].label for track in data.tracks) == sorted(CLASSES)
    numbers = {name: CLASSES.index(name) for name in ("picking_up", "standing_up", "sitting_down")}
    assert numbers == {"picking_up": 12, "standing_up": 28, "sitting_down": 27}
    assert (CLASSES[17], CLASSES[34]) == ("setting_down", "sitting")


def test_case_of_names_does_not_matter(tmp_path) -> None:
    clip(tmp_path, "acc_watch_clip", "subject3/scene1/session1", "Sitting_Down.csv")
    clip(tmp_path, "gyro_clip", "subject3/scene1/session1", "sitting_down.CSV")
    clip(tmp_path, "gyro_clip", "subject3/scene1/session1", "SITTING_DOWN.csv")
    data = read_tracks(tmp_path)
    (together,) = by_session(data.tracks)
    assert [t.quantities for t in together] == [("acceleration",), ("angular_rate",)]
    twice = [p for p in data.problems if p.kind == "duplicated"]
    assert [p.where.rpartition("/")[2] for p in twice] == ["sitting_down.CSV"]
    assert twice[0].what.startswith("the same clip as ")


def test_what_cannot_be_read_is_named_and_nothing_takes_its_place(root) -> None:
    place = root / "acc_watch_clip" / "subject1" / "scene1" / "session2"
    (place / "running.csv").write_text("")
    (place / "jumping.csv").write_text("20181022_11:08:23.1,1,2,3\n\n20181022_11:08:23.2,1,2\n")
    (place / "kicking.csv").write_text("11:08:23,1,2,3\n")
    (place / "fall.csv").write_text("20181022_11:08:23.1,1,nan,3\n")
    (place / "dancing.csv").write_text("20181022_11:08:23.1,1,2,3\n")
    (place.parent / "walking.csv").write_text("20181022_11:08:23.1,1,2,3\n")
    (place / "throwing.csv").write_bytes(b"\xff\x00")
    data = read_tracks(root)
    assert len(data.tracks) == 4
    form = "expected time as 20181022_11:08:23.250, x, y, z"
    names = "is no activity of MMAct; expected one of 35, such as sitting_down"
    assert {str(p).replace(str(place), "") for p in data.problems} == {
        "unreadable: /running.csv: is empty",
        f"unreadable: /jumping.csv: line 3 is '20181022_11:08:23.2,1,2'; {form}",
        f"unreadable: /kicking.csv: line 1 is '11:08:23,1,2,3'; {form}",
        f"unreadable: /throwing.csv: line 1 is '\ufffd?'; {form}",
        "unreadable: /fall.csv: values (1, 3), or not all of them are numbers; "
        "expected x, y and z in each row",
        f"label: /dancing.csv: 'dancing' {names}",
        f"unreadable: {place.parent}/walking.csv: is not where a clip is; "
        "expected subject<n>/scene<n>/session<n>/",
    }


def test_a_sensor_without_any_file_is_named(tmp_path) -> None:
    clip(tmp_path, "acc_watch_clip", "subject1/scene1/session1", "walking.csv")
    assert [str(p) for p in read_tracks(tmp_path).problems] == [
        f"missing: {tmp_path / name}: no file of this sensor"
        for name in ("acc_phone_clip", "gyro_clip", "orientation_clip")
    ]


def test_people_are_in_one_part_each(tmp_path) -> None:
    for subject in range(1, 21):
        clip(tmp_path, "acc_watch_clip", f"subject{subject}/scene1/session1", "walking.csv")
    parts = {int(t.subject.removeprefix("subject")): t.part for t in read_tracks(tmp_path).tracks}
    assert {s for s, part in parts.items() if part == "test"} == {17, 18, 19, 20}
    assert {s for s, part in parts.items() if part == "validation"} == {4, 8, 12, 16}
    assert sum(part == "train" for part in parts.values()) == 12


def test_a_random_split_is_refused(root) -> None:
    with pytest.raises(DataError, match="mmact has no split 'random'; expected one of cross_sub"):
        read_tracks(root, split="random")
