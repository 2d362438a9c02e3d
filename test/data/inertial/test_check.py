"""`xmodal data check` on data sets of inertial sensors, and on recordings that have one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from xmodal_ros.data.cli import data_app
from xmodal_ros.data.fields import image_fields, imu_fields
from xmodal_ros.data.inertial import read_tracks
from xmodal_ros.data.inertial.check import check
from xmodal_ros.data.recording import RecordingWriter
from xmodal_ros.data.splits import write_split

COLUMNS = "file,group,part,sha256\n"


def write_parts(root, parts: dict[str, tuple[str, str]]) -> None:
    """`split.csv` as anybody could write it; `parts` are group and part by recording."""
    rows = (f"{name}/{name}.mcap,{group},{part},\n" for name, (group, part) in parts.items())
    (root / "split.csv").write_text(COLUMNS + "".join(rows))


def test_counts_in_seconds_by_part(tmp_path, record) -> None:
    record(tmp_path / "a", labels=[(0.0, "reach"), (1.0, "grasp")])
    record(tmp_path / "b", labels=[(0.0, "grasp"), (1.0, "reach")])
    names = {"a": "train", "b": "test"}
    write_split(tmp_path / "split.csv", tmp_path, [(f"{n}/{n}.mcap", n, names[n]) for n in "ab"])
    report = check(read_tracks(tmp_path))
    assert report.good
    assert (report.examples, report.groups) == ({"train": 1, "test": 1},) * 2
    heads = report.heads["activity_s"]
    assert heads["train"].counts == {"grasp": 2, "reach": 1}
    assert heads["test"].counts == {"grasp": 1, "reach": 2}
    assert heads["test"].majority == pytest.approx(2 / 3)
    assert heads["test"].constant == pytest.approx(1 / 3)


def test_leaks_and_classes_that_are_never_trained_on(tmp_path, record) -> None:
    record(tmp_path / "a", labels=[(0.0, "reach")])
    record(tmp_path / "b", labels=[(0.0, "shake")])
    write_parts(tmp_path, {"a": ("anna", "train"), "b": ("anna", "test")})
    where = f"{tmp_path}, split 'official'"
    assert [str(p) for p in check(read_tracks(tmp_path)).problems] == [
        f"class: {where}: activity 'shake' is 3 s in test, never in train",
        f"leak: {where}: of 'anna' are 1 in test and 1 in train",
    ]


def test_recordings_of_an_imu_alone(tmp_path, record) -> None:
    record(tmp_path / "a", labels=[(0.0, "reach")])
    run = CliRunner().invoke(data_app, ["check", str(tmp_path)])
    assert run.exit_code == 0, run.output
    assert "(recordings): nothing is wrong with it" in run.output.replace("\n", "")
    assert "reach 3" in run.output


@pytest.mark.parametrize("stuck", [False, True])
def test_recordings_of_images_and_an_imu(tmp_path, stuck, start_ns) -> None:
    rng = np.random.default_rng(0)
    with RecordingWriter(tmp_path / "run") as writer:
        for k in range(300):
            stamp_ns = start_ns + k * 10_000_000
            sample = np.array((0.0, 0.0, 9.81, 0.0, 0.0, 0.0)) + rng.normal(0.0, 0.02, 6)
            sample[0] = 0.5 if stuck else sample[0]
            fields = imu_fields(stamp_ns, "imu", sample)
            writer.write("/imu/data_raw", "sensor_msgs/msg/Imu", stamp_ns, fields)
            if k % 25 == 0:
                for topic in ("/tactile_left/image_raw", "/camera/image_raw"):
                    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
                    fields = image_fields(stamp_ns, "f", image)
                    writer.write(topic, "sensor_msgs/msg/Image", stamp_ns, fields)
    run = CliRunner().invoke(data_app, ["check", "--json", str(tmp_path)])
    report = json.loads(run.output)
    assert run.exit_code == int(stuck)
    assert report["examples"] == {"train": 12}
    told = [(p["kind"], p["what"]) for p in report["problems"]]
    text = "acceleration_x is 0.5 m/s^2 for 2.99 s at sample 0, 0.00 s; expected some noise"
    assert told == ([("stuck", text)] if stuck else [])


def test_problems_are_counted_by_kind(tmp_path) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"labels": ["SEATED"]}))
    rng = np.random.default_rng(0)
    arrays = {}
    for device in ("sw", "sp"):
        values = np.array((0.0, 0.0, 1.0, 0.0, 0.0, 0.0)) + rng.normal(0.0, 0.01, (300, 6))
        arrays[f"s77_01_{device}_x"] = values.astype(np.float32)  # in g
        arrays[f"s77_01_{device}_t"] = np.arange(300) * 20  # 50 Hz
        arrays[f"s77_01_{device}_y"] = np.zeros(300, np.uint8)
    np.savez(tmp_path / "s77.npz", **arrays)
    run = CliRunner().invoke(data_app, ["check", str(tmp_path)])
    assert run.exit_code == 1
    assert "(imu_activity): problems: 2 rate, 2 units" in run.output
    assert "note: the split does not name s77" in run.output


def test_a_kind_by_name(tmp_path) -> None:
    folder = tmp_path / "gyro_clip" / "subject1" / "scene1" / "session1"
    folder.mkdir(parents=True)
    (folder / "walking.csv").write_text("")
    run = CliRunner().invoke(data_app, ["check", "--kind", "mmact", str(tmp_path)])
    assert run.exit_code == 1
    assert "walking.csv: is empty" in run.output
    assert "problems: 4 missing, 1 unreadable" in run.output  # three sensors, and no track at all
