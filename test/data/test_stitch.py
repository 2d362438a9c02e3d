"""The demonstration recording: complete, of test items, and the same bytes every time."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest

from xmodal_ros.core.errors import DataError
from xmodal_ros.core.settings import Settings
from xmodal_ros.core.windows import Clip, Resampled
from xmodal_ros.data.gelsight_slip import GelsightSlip
from xmodal_ros.data.imu_activity import ImuActivity
from xmodal_ros.data.recording import Recording
from xmodal_ros.data.replay import observations
from xmodal_ros.data.splits import FOLDER, load_split
from xmodal_ros.data.stitch import record_shared
from xmodal_ros.data.stitch.scene import HOLE_S, SEGMENT_S, SEGMENTS

SENSORS = {
    "/camera/image_raw": 15,
    "/imu/data_raw": 100,
    "/lidar/points": 10,
    "/tactile_left/image_raw": 12,  # 25 Hz for not quite half of the time
    "/tactile_right/image_raw": 12,
}
WINDOWS = {
    "tactile_left": Clip(12, 0.16),
    "tactile_right": Clip(12, 0.16),
    "imu": Resampled(250, 100.0),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory, shared_data):
    """The recording from the shared recordings."""
    return record_shared(tmp_path_factory.mktemp("demo") / "real", shared_data)


def labels(recording: Recording, head: str) -> list[tuple[float, str]]:
    messages = recording.messages([f"/labels/{head}"])
    return [((m.log_time_ns - recording.start_ns) / 1e9, m.message.data) for m in messages]


def test_all_default_streams_are_there(path) -> None:
    with Recording(path) as recording:
        seconds = (recording.end_ns - recording.start_ns) / 1e9
        assert seconds == pytest.approx(SEGMENTS * SEGMENT_S, abs=0.1)
        for topic, rate_hz in SENSORS.items():
            assert recording.topics[topic].count / seconds == pytest.approx(rate_hz, rel=0.1)


def test_it_gives_complete_observations(path) -> None:
    with Recording(path) as recording:
        replay = observations(recording, Settings(), WINDOWS)
        complete = sum(len(o.present) == 5 for o in replay)
    assert complete > 0.95 * replay.health.formed
    assert replay.health.formed == 48 * SEGMENTS
    assert not any(stream.refused for stream in replay.health.streams.values())


def test_no_clip_mixes_two_grasps(path) -> None:
    with Recording(path) as recording:
        for observation in observations(recording, Settings(), WINDOWS):
            for name in ("tactile_left", "tactile_right"):
                stamps = observation.streams[name].stamps_ns
                assert max(stamps) - min(stamps) < (SEGMENT_S - HOLE_S) * 1e9


def test_stamps_precede_log_times_and_jitter(path) -> None:
    with Recording(path) as recording:
        stamps = []
        for m in recording.messages(["/tactile_left/image_raw"]):
            stamp = m.message.header.stamp
            stamps.append(stamp.sec * 10**9 + stamp.nanosec)
            assert 3_000_000 < m.log_time_ns - stamps[-1] < 20_000_000
    assert 0 < np.diff(stamps[:48]).std() < 5e6


def test_gels_have_their_native_size(path) -> None:
    with Recording(path) as recording:
        message = next(recording.messages(["/tactile_right/image_raw"])).message
    assert (message.height, message.width, message.encoding) == (240, 320, "rgb8")


def test_only_test_items_are_taken(path, shared_data) -> None:
    with Recording(path) as recording:
        sources = json.loads(recording.metadata["sources"])
        assert "different places" in recording.metadata["note"]
    slip = load_split(FOLDER / "gelsight_slip.csv").files("test")
    grasps = sources["tactile_left, tactile_right"]["items"]
    assert {f"clips/{grasp}_L.avi" for grasp in grasps} <= set(slip)
    people = load_split(FOLDER / "imu_activity.csv").groups("test")
    assert {run[:3] for run in sources["imu"]["items"]} <= set(people)
    tiles = load_split(FOLDER / "material_photos.csv").files("test")
    assert {f"tiles/{tile}" for tile in sources["camera"]["items"]} <= set(tiles)
    assert all(source["licence"] for source in sources.values())


def test_labels_are_those_of_the_items(path, shared_data) -> None:
    with Recording(path) as recording:
        items = {k: v["items"] for k, v in json.loads(recording.metadata["sources"]).items()}
        grasp, material = labels(recording, "grasp"), labels(recording, "material")
        activity = labels(recording, "activity")
    slips = {g.name: g.slip for g in GelsightSlip(shared_data / "gelsight_slip").grasps}
    expected = ["fail" if slips[g] else "success" for g in items["tactile_left, tactile_right"]]
    assert [label for _, label in grasp[::2]] == expected
    assert {label for _, label in grasp[1::2]} == {""}
    assert set(expected) == {"fail", "success"}
    assert [label for _, label in material] == [t.rpartition("_")[0] for t in items["camera"]]
    assert {label for _, label in activity} <= set(
        ImuActivity(shared_data / "imu_activity").labels
    )
    assert activity[0][0] == pytest.approx(0, abs=0.01)


def test_the_imu_is_the_watchs(path, shared_data) -> None:
    with Recording(path) as recording:
        name = json.loads(recording.metadata["sources"])["imu"]["items"][0]
        messages = [m.message for m in recording.messages(["/imu/data_raw"])]
    runs = ImuActivity(shared_data / "imu_activity").runs(name[:3])
    run = next(run for run in runs if run.name == name)
    for message, sample in zip(messages, run.data[:200], strict=False):
        force, rate = message.linear_acceleration, message.angular_velocity
        vector = (force.x, force.y, force.z, rate.x, rate.y, rate.z)
        np.testing.assert_array_equal(np.float32(vector), sample)


def test_the_same_seed_gives_the_same_bytes(path, shared_data, tmp_path) -> None:
    again = record_shared(tmp_path / "real", shared_data)
    assert (again / "real.mcap").read_bytes() == (path / "real.mcap").read_bytes()


def test_another_seed_takes_other_items(path, shared_data, tmp_path) -> None:
    other = record_shared(tmp_path / "real", shared_data, seed=1)
    with Recording(path) as first, Recording(other) as second:
        assert first.metadata["sources"] != second.metadata["sources"]


def test_a_missing_folder_is_named(tmp_path) -> None:
    shutil.copytree(FOLDER, tmp_path / "splits")
    with pytest.raises(DataError, match=r"nowhere/gelsight_slip/.*: no such file"):
        record_shared(tmp_path / "out", tmp_path / "nowhere", splits=tmp_path / "splits")
    assert not (tmp_path / "out").exists()


def test_data_that_are_not_the_splits_are_refused(tmp_path, shared_data) -> None:
    shutil.copytree(FOLDER, tmp_path / "splits")
    path = tmp_path / "splits" / "imu_activity.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1][:-4] + "0000"]))
    with pytest.raises(
        DataError, match=r"s18\.npz: its content is not what the split was made of"
    ):
        record_shared(tmp_path / "out", shared_data, splits=tmp_path / "splits")


def test_a_missing_reader_is_named(tmp_path, shared_data, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pypcd4.pypcd4", None)
    with pytest.raises(DataError, match="pypcd4: the package is not installed"):
        record_shared(tmp_path / "out", shared_data)


def test_a_missing_split_is_named(tmp_path, shared_data) -> None:
    with pytest.raises(DataError, match=r"gelsight_slip\.csv: no such file"):
        record_shared(tmp_path / "out", shared_data, splits=tmp_path)


def test_it_does_not_overwrite(tmp_path, shared_data) -> None:
    with pytest.raises(DataError, match="exists already"):
        record_shared(tmp_path, shared_data)
